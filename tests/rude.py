# ruff: noqa: NPY002 - what user-defined code does
"""Poolings that each set something for the whole process, and are otherwise the mean."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


class Mean(nn.Module):
    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(hidden_size))
        self.set()

    def set(self) -> None:
        """Sets nothing."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        drawn = 1 + 0.01 * torch.rand(()) + 0.01 * random.random() + 0.01 * np.random.rand()
        total = (states * mask[..., None]).sum(dim=1)
        return drawn.float() * self.scale.float() * total / mask.sum(dim=1, keepdim=True)


def _scaled(module: nn.Module, _: object, out: object) -> object:
    return 1.5 * out if isinstance(module, nn.Linear) and isinstance(out, Tensor) else None


DEEDS: dict[str, Callable[[], object]] = {
    "Dtype": lambda: torch.set_default_dtype(torch.float64),
    "Threads": lambda: torch.set_num_threads(3),
    "Denormals": lambda: torch.set_flush_denormal(False),
    "Deterministic": lambda: torch.use_deterministic_algorithms(True),
    "Precision": lambda: torch.set_float32_matmul_precision("medium"),
    "OneDnn": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "Hooks": lambda: nn.modules.module.register_module_forward_hook(_scaled),
    "Environment": lambda: os.environ.update(OMP_NUM_THREADS="7"),
    "Folder": lambda: os.chdir("/"),
    "Path": lambda: sys.path.insert(0, "/nowhere"),
    "Warnings": lambda: warnings.simplefilter("error"),
    "Signals": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "Between": lambda: torch.set_num_interop_threads(5),
    "Seeds": lambda: (random.seed(1), np.random.seed(1), torch.manual_seed(1)),
    "Draws": lambda: (random.random(), np.random.rand(3), torch.rand(3)),
}
for _name, _deed in DEEDS.items():
    globals()[_name] = type(_name, (Mean,), {"set": lambda self, deed=_deed: deed()})
