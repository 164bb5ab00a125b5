"""Computes the effect of each fill in each dtype on scores of zero, without training."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ablation.task.text.config import Fill
from ablation.task.text.model.weights import Masking

DTYPES = (torch.float32, torch.bfloat16, torch.float16)

COLUMNS = ("weight_half", "weight_most", "nan_once", "nan_twice", "finite_gradient")
"""Columns of a row besides fill, dtype and overflow."""

FEW = 20
"""Length of a row with one token, as of a short text in a batch with a long one."""


Row = dict[str, str | float | bool | None]


def fill_table(fills: Sequence[Fill]) -> list[Row]:
    """Returns a row for each fill and dtype, computed on scores of zero.

    - ``weight_half``, ``weight_most``: total weight on padding, before any second masking, if
      padding is 1 of 2 or 19 of 20 positions.
    - ``nan_once``, ``nan_twice``: whether a row of padding only gives NaN, masked once or twice.
    - ``finite_gradient``: whether the gradient of the scores is finite in a row with a token.
    - ``overflow``: whether PyTorch refuses to write the fill; all other columns are then None.

    Args:
        fills: The fills, as in the run configuration.
    """
    return [_row(fill, dtype) for fill in fills for dtype in DTYPES]


def _row(fill: Fill, dtype: torch.dtype) -> Row:
    named: Row = {"fill": str(fill), "dtype": str(dtype).removeprefix("torch.")}
    once, twice = (Masking(fill=fill, second_masking=second) for second in (False, True))
    half = torch.tensor([[True, False]])
    few = torch.arange(FEW)[None] < 1
    none = torch.zeros(1, 2, dtype=torch.bool)
    try:
        return named | {
            "overflow": False,
            "weight_half": _on_padding(once, half, dtype),
            "weight_most": _on_padding(once, few, dtype),
            "nan_once": _has_nan(once, none, dtype),
            "nan_twice": _has_nan(twice, none, dtype),
            "finite_gradient": _finite_gradient(once, half, dtype),
        }
    except RuntimeError:
        return named | {"overflow": True} | dict.fromkeys(COLUMNS)


def _on_padding(masking: Masking, mask: torch.Tensor, dtype: torch.dtype) -> float:
    weights = masking.unmasked(torch.zeros(mask.shape, dtype=dtype), mask)
    return weights[~mask].double().sum().item()


def _has_nan(masking: Masking, mask: torch.Tensor, dtype: torch.dtype) -> bool:
    return bool(masking(torch.zeros(mask.shape, dtype=dtype), mask).isnan().any())


def _finite_gradient(masking: Masking, mask: torch.Tensor, dtype: torch.dtype) -> bool:
    scores = torch.zeros(mask.shape, dtype=dtype, requires_grad=True)
    masking(scores, mask)[mask].sum().backward()
    return scores.grad is not None and bool(scores.grad.isfinite().all())
