from ablation.config import DataConfig, ModelConfig, RunConfig
from ablation.spec import Study

study = Study(
    name="sentence_pooling",
    title="The pooling of sentences",
    question="Does it matter how a hierarchical model pools the sentences of a text?",
    factor="model.pooling",
    levels=("attention", "additive", "mean", "max", "last"),
    baseline="attention",
    margin=0.02,
    looks=(5, 8, 12, 20),
    config=RunConfig(data=DataConfig(max_length=512), model=ModelConfig(kind="hierarchical")),
    caveats=(
        "Words are encoded by a cnn and pooled by their maximum, sentences by a bilstm; the "
        "pooling that is varied is the one over sentences.",
        "Most docstrings have one sentence or two: run it with DATA=... on longer texts, too.",
    ),
)
