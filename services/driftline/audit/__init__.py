"""What can be proven about predictions: that nothing landed was changed, what was there, and who looked."""

from driftline.audit.metrics import SEALER_METRICS
from driftline.audit.sealer import Sealer

__all__ = ["SEALER_METRICS", "Sealer"]
