from itertools import product

from ablation.spec import Study

TENSORS = ("weight", "bias", "query")
ARMS = {
    " + ".join(name for name, on in zip(TENSORS, chosen, strict=True) if on) or "nothing": {
        f"model.attention.train_{name}": on for name, on in zip(TENSORS, chosen, strict=True)
    }
    for chosen in product((True, False), repeat=len(TENSORS))
}

study = Study(
    name="trainable",
    title="Which tensors of the attention are trained",
    question="Does it pay to train the attention's weight, bias and query?",
    arms=ARMS,
    baseline="weight + bias + query",
    margin=0.02,
    looks=(5, 8, 12, 20),
    caveats=(
        "An arm is named by what is trained; the rest stays as it was drawn, the bias at zero.",
        "A fixed weight still maps the states, and a fixed query still weighs them: at random.",
    ),
)
