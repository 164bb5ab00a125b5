"""The arms of a study, derived from what it declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablation.records.paths import flatten, plain_values, replace, replace_all
from ablation.study.design import arms_of, level_name
from ablation.study.searched import BASELINE, procedure_of

if TYPE_CHECKING:
    from ablation.study.spec import Study

OFFSET = "seed_offset"
"""Key by which an arm of an A/A study sets its seed offset, in place of a path."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One combination of levels, as a complete run configuration."""

    name: str
    """Label of the arm in the report; no part of a trial's key."""
    config: Any
    """The complete run configuration."""
    levels: Mapping[str, Any]
    """Dotted path to level, for the paths that the arm sets."""
    seed_offset: int | None = None
    """Added to the seed of every block: makes the arm a copy with other draws, or with the same
    draws at 0. For A/A studies only."""
    by_seed: Mapping[int, Any] = dataclasses.field(default_factory=dict)
    """Seed to the configuration of its block, for an arm that is tuned in every block."""
    procedure: str = ""
    """Hash of its tuning in every block, a part of its trials' identity; empty if not tuned so."""


def complete_arms(study: Study) -> tuple[Arm, ...]:
    """Returns the study's arms in declared order, each a complete run configuration."""
    if study.search:
        declared = [(BASELINE, {}), *((name, dict(paths)) for name, paths in study.tuned.items())]
    elif study.factors:
        factors = {
            path: [as_stored(study.config, path, level) for level in levels]
            for path, levels in study.factors.items()
        }
        declared = list(arms_of(factors, study.design).items())
    elif study.factor is None:
        declared = [(name, dict(paths)) for name, paths in study.arms.items()]
    else:
        stored = [as_stored(study.config, study.factor, level) for level in study.levels]
        declared = [(level_name(level), {study.factor: level}) for level in stored]
    return tuple(_complete_arm(study, name, levels) for name, levels in declared)


def _complete_arm(study: Study, name: str, levels: dict[str, Any]) -> Arm:
    offset = levels.pop(OFFSET, None)
    levels = plain_values(levels)
    tuned = {} if study.search else study.tuned.get(name, {})
    config = replace_all(study.config, {**levels, **tuned})
    of_blocks = enumerate(study.tuned_by_block.get(name, ()))
    return Arm(
        name=name,
        config=config,
        levels=levels,
        seed_offset=offset,
        by_seed={seed: replace_all(config, of) for seed, of in of_blocks},
        procedure=procedure_of(study),
    )


def as_stored(config: Any, path: str, level: Any) -> Any:
    """Returns the level as the configuration stores it: an int in a float field as a float."""
    return flatten(replace(config, path, level))[path]
