"""The process-wide settings of a loaded PyTorch, to be read and written back."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from types import ModuleType
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """One part of the state of a process."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


ATTRIBUTES = (
    "backends.mkldnn.enabled", "backends.mkldnn.deterministic", "backends.mkldnn.allow_tf32",
    "backends.cudnn.enabled", "backends.cudnn.benchmark", "backends.cudnn.deterministic",
    "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "backends.fp32_precision", "backends.mkldnn.fp32_precision",
    "backends.mkldnn.matmul.fp32_precision", "backends.mkldnn.conv.fp32_precision",
    "backends.mkldnn.rnn.fp32_precision", "backends.cudnn.fp32_precision",
    "backends.cuda.matmul.fp32_precision", "backends.opt_einsum.enabled",
    "backends.opt_einsum.strategy", "utils.deterministic.fill_uninitialized_memory",
)  # fmt: skip
"""Settings that are attributes, as dotted paths below ``torch``."""

KERNELS = ("flash", "mem_efficient", "math", "cudnn")
"""Kernels of scaled dot product attention, each with a switch of its own."""


def settings(torch: Any) -> list[Setting]:
    """Returns every process-wide setting of PyTorch that a test has seen to change results.

    Args:
        torch: The module; never imported here.
    """
    found = [
        Setting("default dtype", torch.get_default_dtype, torch.set_default_dtype),
        Setting("default device", torch.get_default_device, lambda it: _set_device(torch, it)),
        Setting("threads", torch.get_num_threads, torch.set_num_threads),
        Setting("threads between operations", torch.get_num_interop_threads, _keep),
        Setting("flush to zero", lambda: _flushes(torch), torch.set_flush_denormal),
        Setting("gradients", torch.is_grad_enabled, torch.set_grad_enabled),
        Setting(
            "deterministic algorithms",
            lambda: (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            lambda it: torch.use_deterministic_algorithms(it[0], warn_only=it[1]),
        ),
        # Before the attributes, some of which it writes, too.
        Setting(
            "matmul precision",
            lambda: _matmul_precision(torch),
            lambda it: torch.set_float32_matmul_precision(it or "highest"),
        ),
    ]
    cuda = torch.backends.cuda
    for kernel in KERNELS:
        read, write = f"{kernel}_sdp_enabled", f"enable_{kernel}_sdp"
        found.append(Setting(f"{kernel} attention", getattr(cuda, read), getattr(cuda, write)))
    found += [_attribute(torch, path) for path in ATTRIBUTES if _has(torch, path)]
    return found + _hooks(torch.nn.modules.module)


def _keep(_: object) -> None:
    """Writes nothing: PyTorch takes this setting once."""


def _set_device(torch: Any, device: Any) -> None:
    # A default device of its own, even the CPU, would slow every call down.
    torch.set_default_device(None if device.type == "cpu" else device)


def _flushes(torch: Any) -> bool:
    """Returns whether the processor treats numbers below 1.2e-38 as zero."""
    return not (torch.full((), 1e-30, dtype=torch.float32, device="cpu") * 1e-10).item()


def _matmul_precision(torch: Any) -> str | None:
    """Returns the precision, None while newer settings contradict it."""
    try:
        precision: str = torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
    return precision


def _has(torch: Any, path: str) -> bool:
    try:
        _holder(torch, path)
    except (AttributeError, RuntimeError):
        return False
    return True


def _holder(torch: Any, path: str) -> tuple[Any, str]:
    """Returns the object that has an attribute, and the attribute's name."""
    *places, name = path.split(".")
    holder = reduce(getattr, places, torch)
    getattr(holder, name)
    return holder, name


def _attribute(torch: Any, path: str) -> Setting:
    holder, name = _holder(torch, path)
    return Setting(path, lambda: getattr(holder, name), lambda it: setattr(holder, name, it))


def _hooks(module: ModuleType) -> list[Setting]:
    """Returns the registries of hooks on all modules."""

    def registry(name: str) -> Setting:
        kept = getattr(module, name)

        def write(before: dict[Any, Any]) -> None:
            kept.clear()
            kept.update(before)

        return Setting(name, lambda: dict(kept), write)

    names = [name for name, value in vars(module).items() if name.startswith("_global_")]
    return [registry(name) for name in names if isinstance(getattr(module, name), dict)]
