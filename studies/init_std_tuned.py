from ablation.spec import LogUniform, Study

study = Study(
    name="init_std_tuned",
    title="The init std of the attention, every level tuned",
    question="Does the attention's init std matter if each level has a learning rate of its own?",
    factor="model.attention.init_std",
    levels=(0.0, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0),
    baseline=0.05,
    margin=0.02,
    looks=(5, 8, 12, 20),
    tune={
        "train.learning_rate": LogUniform(1e-4, 3e-2),
        "model.dropout": (0.0, 0.1, 0.3, 0.5),
    },
    tuning_trials=16,
)
