from typing import get_args

from ablation.config import Constant, Normal, Pooling
from ablation.spec import LogUniform, Study, When

ATTENTION = "model.attention"

study = Study(
    name="joint",
    title="Everything at once",
    question="What does the best configuration look like if all is searched together?",
    search={
        "model.pooling": get_args(Pooling),
        f"{ATTENTION}.heads": When("model.pooling", ("multi_head",), (1, 2, 4, 8)),
        f"{ATTENTION}.hops": When("model.pooling", ("structured",), (1, 2, 4, 8)),
        "model.top_k": When("model.pooling", ("top_k",), (1, 3, 5)),
        f"{ATTENTION}.init_std": LogUniform(1e-3, 1.0, zero=True),
        f"{ATTENTION}.bias_init": ("zeros", "none", Constant(1.0), Normal(1.0)),
        f"{ATTENTION}.fill": (-1e32, -1e4, -10.0, 0.0),
        f"{ATTENTION}.second_masking": (True, False),
        "train.learning_rate": LogUniform(1e-4, 3e-2),
    },
    search_trials=100,
    best=3,
    margin=0.02,
    looks=(5, 8, 12, 20),
)
