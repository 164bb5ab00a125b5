from ablation.spec import Study

study = Study(
    name="aa",
    title="The baseline against itself",
    question="Does the harness find a difference where there is none?",
    arms={
        "attention": {},
        "the same seeds again": {"seed_offset": 0},
        "other seeds": {"seed_offset": 1000},
    },
    baseline="attention",
    margin=0.02,
    looks=(5, 8, 12, 20),
    caveats=(
        "The same seeds again must be identical; other seeds may come out EQUIVALENT or "
        "INCONCLUSIVE, and anything else is a false alarm.",
    ),
)
