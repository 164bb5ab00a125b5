"""Does the width of scikit-learn's perceptron matter on its handwritten digits?

Run it by: ablation run examples/digits_mlp.py
"""

from dataclasses import dataclass

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from ablation.spec import Metric, Study


@dataclass(frozen=True)
class Config:
    width: int = 64
    rate: float = 0.005
    epochs: int = 10


def train(config, seed):
    """Trains a perceptron; yields its metrics after each epoch and returns those of test."""
    images, digits = load_digits(return_X_y=True)
    # One split for all seeds, so that every run is scored on the same examples.
    parts = train_test_split(images / 16, digits, test_size=600, random_state=0)
    x_train, x_test, y_train, y_test = parts
    model = MLPClassifier((config.width,), learning_rate_init=config.rate, random_state=seed)
    for _ in range(config.epochs):
        model.partial_fit(x_train, y_train, classes=range(10))
        yield {"train/loss": model.loss_, "test/accuracy": model.score(x_test, y_test)}
    correct = model.predict(x_test) == y_test
    return {"test/accuracy": correct.mean(), "test/correct": correct}


study = Study(
    name="digits_mlp",
    question="Does the width of the hidden layer matter?",
    title="Width of a perceptron on handwritten digits",
    run=train,
    config=Config(),
    metric=Metric("test/accuracy", chance=0.1, examples="test/correct"),
    margin=0.01,
    factor="width",
    levels=(8, 32, 64, 96),
    baseline=64,
    caveats=["The 600 test digits are by the writers of the training digits."],
)
