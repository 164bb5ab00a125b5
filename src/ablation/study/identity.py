"""What identifies a trial: its study, everything that decides its run, and its seed."""

from __future__ import annotations

from ablation.records.digest import digest
from ablation.study.spec import Arm
from ablation.task import Identity


def key_of(study: str, config_hash: str, seed: int) -> str:
    """Returns what identifies a trial wherever it is recorded."""
    return f"{study}/{config_hash}/{seed}"


def arm_hash(arm: Arm, identity: Identity, fingerprint: str) -> str:
    """Returns 12 hex digits over everything that decides an arm's runs but their seed.

    The hash of a copy in an A/A study differs from its original's.

    Args:
        arm: The arm.
        identity: What decides a run of its configuration.
        fingerprint: Hash of the content of the data.
    """
    plain = digest(identity.values, fingerprint, identity.contents, identity.numerics)
    return plain if arm.seed_offset is None else digest(plain, "copy", arm.seed_offset)
