from typing import get_args

from ablation.config import Pooling
from ablation.spec import LogUniform, Study

study = Study(
    name="pooling_tuned",
    title="The pooling, each one tuned",
    question="Is attention pooling better than the others if each is tuned by itself?",
    factor="model.pooling",
    levels=get_args(Pooling),
    baseline="attention",
    margin=0.02,
    looks=(5, 8, 12, 20),
    tune={
        "train.learning_rate": LogUniform(1e-4, 3e-2),
        "model.dropout": (0.0, 0.1, 0.3, 0.5),
    },
    tuning_trials=16,
)
