"""For notebooks: two DataFrames compared without any server, and what a store holds as DataFrames.

``pip install 'driftline[notebook]'``; then ``driftline.compare`` and ``driftline.read``.
"""

from driftline.notebook import read
from driftline.notebook.comparing import compare
from driftline.notebook.report import Comparison

__all__ = ["Comparison", "compare", "read"]
