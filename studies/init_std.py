from ablation.spec import Study

study = Study(
    name="init_std",
    title="The init std of the attention",
    question="Does the spread that the attention's weight and query are drawn with matter?",
    factor="model.attention.init_std",
    levels=(0.0, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0),
    baseline=0.05,
    margin=0.02,
    looks=(5, 8, 12, 20),
)
