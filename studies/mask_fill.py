from ablation.config import DataConfig, RunConfig, TrainConfig
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
ATTENTION = "model.attention"
FILL, SECOND, DTYPE = f"{ATTENTION}.fill", f"{ATTENTION}.second_masking", f"{ATTENTION}.dtype"

study = Study(
    name="mask_fill",
    title="What is written over padding",
    question="Does the score written over padding matter, and the masking after the softmax?",
    arms={name: {FILL: fill} for name, fill in FILLS.items()}
    | {f"{name} masked once": {FILL: FILLS[name], SECOND: False} for name in ("-10", "0")}
    | {"-1e32 in bfloat16": {DTYPE: "bfloat16"}},
    baseline="-1e32",
    margin=0.02,
    looks=(5, 8, 12, 20),
    numerics=True,
    # Texts of any length share a batch here, since padding is the point.
    config=RunConfig(data=DataConfig(max_length=64), train=TrainConfig(batching="random")),
    caveats=(
        "Fills of -100 and below give padding a weight of 4e-44 at most, which float32 loses when "
        "it is added to the others, and training takes for zero: hence runs that are identical.",
        "Texts are cut off at 64 tokens.",
        "Every other study batches texts of like length, where there is less padding to leak to.",
    ),
)
