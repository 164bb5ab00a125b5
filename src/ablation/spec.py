""":class:`Study`, :class:`Metric` and the ranges of a search, for import by study files."""

from ablation.records.metric import Metric
from ablation.study.space import LogUniform, When
from ablation.study.spec import Study

__all__ = ["LogUniform", "Metric", "Study", "When"]
