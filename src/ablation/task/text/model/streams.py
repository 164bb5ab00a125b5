"""Random streams: one generator for each purpose of a run, all derived from its seed."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, *purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a generator that depends on the seed and on its purpose, and on nothing else.

    Two purposes never share a stream, so an arm that draws one more number in one place shifts
    no other draw of its block: without that, paired comparisons lose their pairing silently.

    Args:
        seed: The run's seed.
        *purpose: Such as ``"init", "pooling.weight"`` or ``"order"``.
        device: Where the numbers are drawn.
    """
    text = "/".join((str(seed), *purpose))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    return torch.Generator(device).manual_seed(number % 2**63)
