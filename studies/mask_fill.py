from ablation.config import RunConfig, TrainConfig
from ablation.spec import Study

FILLS = {
    "-1e32": -1e32,
    "-inf": float("-inf"),
    "dtype minimum": "min",
    "-1e9": -1e9,
    "-1e4": -1e4,
    "-100": -100.0,
    "-10": -10.0,
    "0": 0.0,
}
FILL, SECOND = "model.attention.fill", "model.attention.second_masking"

study = Study(
    name="mask_fill",
    title="What is written over padding",
    question="Does the score written over padding before the softmax matter, and the masking after it?",
    arms={name: {FILL: fill} for name, fill in FILLS.items()}
    | {f"{name}, masked once": {FILL: FILLS[name], SECOND: False} for name in ("-10", "0")},
    baseline="-1e32",
    # Texts of any length share a batch here, since padding is the point.
    config=RunConfig(train=TrainConfig(batching="random")),
    caveats=(
        "Every other study batches texts of like length, where there is less padding to leak to.",
    ),
)
