from ablation.spec import Study

study = Study(
    name="pooling",
    title="The pooling",
    question="Is attention better than pooling without parameters?",
    factor="model.pooling",
    levels=("attention", "mean", "max"),
    baseline="attention",
    margin=0.02,
    looks=(5, 8, 12, 20),
)
