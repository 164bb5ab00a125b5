""":class:`Study` and :class:`Metric`, for import by study files."""

from ablation.records.metric import Metric
from ablation.study.spec import Study

__all__ = ["Metric", "Study"]
