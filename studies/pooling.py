from typing import get_args

from ablation.config import Pooling
from ablation.spec import Study

study = Study(
    name="pooling",
    title="The pooling",
    question="Is attention pooling better than the other poolings?",
    factor="model.pooling",
    levels=get_args(Pooling),
    baseline="attention",
    margin=0.02,
    looks=(5, 8, 12, 20),
    caveats=(
        "Every pooling trains with the learning rate and the init std that suit the attention.",
    ),
)
