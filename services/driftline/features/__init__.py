"""A feature store beside the prediction log, which can say whether the value that a model got was stored so.

What a service imports of it, the definitions, and ``driftline.features.online``, needs no more than the base
install does.
"""

from driftline.features.definitions import (
    Entity,
    FeatureService,
    FeatureView,
    OnDemandView,
    Source,
)
from driftline.features.transforms import Transform

__all__ = ["Entity", "FeatureService", "FeatureView", "OnDemandView", "Source", "Transform"]
