from ablation.config import Normal
from ablation.spec import Study

WEIGHT, QUERY = "model.attention.weight_init", "model.attention.query_init"

study = Study(
    name="init_scheme",
    title="The scheme that weight and query start by",
    question="Is a known initialisation scheme better than a small normal, for weight or query?",
    arms={
        "normal": {},
        "xavier": {WEIGHT: "xavier", QUERY: "xavier"},
        "kaiming": {WEIGHT: "kaiming", QUERY: "kaiming"},
        "orthogonal": {WEIGHT: "orthogonal", QUERY: "orthogonal"},
        "zeros": {WEIGHT: "zeros", QUERY: "zeros"},
        "weight std 0.5": {WEIGHT: Normal(0.5)},
        "query std 0.5": {QUERY: Normal(0.5)},
        "zero query": {QUERY: "zeros"},
    },
    baseline="normal",
    margin=0.02,
    looks=(5, 8, 12, 20),
)
