"""What a study file imports: :class:`Study`."""

from ablation.study.spec import Study

__all__ = ["Study"]
