"""Random streams: one generator per purpose of a run, all derived from the run's seed."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, *purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a generator that depends only on the seed and the purpose.

    Args:
        seed: The run's seed.
        *purpose: For example ``"init", "pooling.weight"`` or ``"order"``.
        device: Device on which the numbers are drawn.
    """
    # If purposes shared a stream, an arm that draws one more number would shift all later draws,
    # and comparisons would silently lose their pairing.
    text = "/".join((str(seed), *purpose))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    return torch.Generator(device).manual_seed(number % 2**63)
