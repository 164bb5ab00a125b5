from ablation.config import Constant, Normal, Uniform
from ablation.spec import Study

study = Study(
    name="bias_init",
    title="The start of the attention's bias",
    question="Does it matter how the attention's bias starts, or whether there is one at all?",
    factor="model.attention.bias_init",
    levels=(
        "zeros",
        "none",
        Constant(0.1),
        Constant(1.0),
        Normal(0.05),
        Normal(1.0),
        Uniform(0.1),
    ),
    baseline="zeros",
    margin=0.02,
    looks=(5, 8, 12, 20),
)
