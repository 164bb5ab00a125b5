"""The identity of a trial: its study, a hash over everything that decides its run, its seed."""

from __future__ import annotations

from ablation.records.digest import digest
from ablation.study.arm import Arm
from ablation.task import Identity


def key_of(study: str, config_hash: str, seed: int) -> str:
    """Returns the key that identifies a trial wherever it is recorded.

    >>> key_of("init_std", "0123456789ab", 3)
    'init_std/0123456789ab/3'
    """
    return f"{study}/{config_hash}/{seed}"


def arm_hash(arm: Arm, identity: Identity, fingerprint: str, first_seed: int = 0) -> str:
    """Returns 12 hex digits over everything that decides an arm's runs except the block.

    A copy in an A/A study has its own hash, and so has an arm whose blocks start at another seed.

    Args:
        arm: The arm.
        identity: The identity of its configuration.
        fingerprint: Hash of the content of the data.
        first_seed: Training seed of the first block.
    """
    plain = digest(identity.values, fingerprint, identity.contents, identity.numerics)
    if arm.procedure:
        plain = digest(plain, arm.procedure)
    if first_seed:
        plain = digest(plain, "first seed", first_seed)
    return plain if arm.seed_offset is None else digest(plain, "copy", arm.seed_offset)
