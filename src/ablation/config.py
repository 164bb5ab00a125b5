"""The configuration of the text classifier, for import by study files."""

from ablation.records.paths import replace
from ablation.task.text.config import (
    AttentionConfig,
    BiasInit,
    Constant,
    DataConfig,
    Encoder,
    Fill,
    Init,
    ModelConfig,
    Normal,
    Pooling,
    RunConfig,
    Scheme,
    TrainConfig,
    Uniform,
)

__all__ = [
    "AttentionConfig",
    "BiasInit",
    "Constant",
    "DataConfig",
    "Encoder",
    "Fill",
    "Init",
    "ModelConfig",
    "Normal",
    "Pooling",
    "RunConfig",
    "Scheme",
    "TrainConfig",
    "Uniform",
    "replace",
]
