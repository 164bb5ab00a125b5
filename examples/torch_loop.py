"""Does the warm-up of the learning rate matter in a plain PyTorch loop?

Run it by: ablation run examples/torch_loop.py
"""

import hashlib

import torch
from torch import nn

from ablation.spec import Metric, Study

CONFIG = {"hidden": 32, "optimizer": {"rate": 0.1, "warmup": 20}, "epochs": 12, "batch": 64}


def two_moons(examples, seed):
    """Returns points on two interleaved half circles, and the half circle of each."""
    draw = torch.Generator().manual_seed(seed)
    side = torch.arange(examples) % 2
    angle = torch.rand(examples, generator=draw) * torch.pi * (1 - 2 * side)
    points = torch.stack([angle.cos() + side, angle.sin() + side / 2], dim=1)
    return points + 0.25 * torch.randn(examples, 2, generator=draw), side


def train(config, seed):
    """Trains a small network; yields its metrics after each epoch and returns those of test."""
    (x, y), (x_test, y_test) = two_moons(1024, 1), two_moons(1000, 2)
    torch.manual_seed(seed)
    width, (rate, warmup) = config["hidden"], config["optimizer"].values()
    model = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2))
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    rise = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min(1, (at + 1) / (warmup + 1)))
    for _ in range(config["epochs"]):
        for part in torch.randperm(len(x)).split(config["batch"]):
            loss = nn.functional.cross_entropy(model(x[part]), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rise.step()
        correct = model(x_test).argmax(dim=1) == y_test
        accuracy = correct.double().mean()
        yield {"train/loss": loss.item(), "test/accuracy": accuracy}
    weights = b"".join(each.detach().numpy().tobytes() for each in model.parameters())
    hashed = hashlib.sha256(weights).hexdigest()
    return {"test/accuracy": accuracy, "test/correct": correct, "weights_hash": hashed}


study = Study(
    name="torch_loop",
    question="Does the warm-up of the learning rate matter?",
    run=train,
    config=CONFIG,
    metric=Metric("test/accuracy", chance=0.5, examples="test/correct"),
    margin=0.02,
    factor="optimizer.warmup",
    levels=(0, 20, 100, 2000),
    baseline=20,
)
