""":class:`Study`, for import by study files."""

from ablation.study.spec import Study

__all__ = ["Study"]
