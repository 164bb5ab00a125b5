"""What a study asks: a question, the arms that answer it, and what was fixed before any run."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from ablation.errors import Refused, nearest
from ablation.records.declaration import Collapse, Look, Scope
from ablation.records.paths import flatten, replace
from ablation.task import Task
from ablation.task.text import TEXT
from ablation.task.text.config import RunConfig

ALPHA = 0.05
"""Error rate of each family of comparisons."""

OFFSET = "seed_offset"
"""What an arm of an A/A study sets instead of a path."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One combination of levels made runnable."""

    name: str
    """A label; it identifies nothing but a row of the report."""
    config: Any
    """The complete run configuration."""
    levels: Mapping[str, Any]
    """Dotted path to level, for the paths in which the arm was declared."""
    seed_offset: int | None = None
    """Added to the seed of every block, so that the arm is a copy with other draws (or, at 0, the
    same ones); for A/A studies only."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One question. Give either ``factor`` with ``levels``, or ``arms``.

    Raises:
        Refused: If the declaration names what does not exist or contradicts itself.
    """

    name: str
    """Matches ``[a-z][a-z0-9_]*``."""
    question: str
    """What is asked, in a sentence."""
    title: str = ""
    """A heading for the report; the name where none is given."""
    factor: str | None = None
    """Dotted path into the run configuration, such as ``"model.attention.init_std"``."""
    levels: Sequence[Any] = ()
    """The values of the factor, in the order in which they are reported."""
    arms: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """Arms listed explicitly: name to the paths that it sets; ``seed_offset`` among them makes a
    copy of the baseline for an A/A study."""
    baseline: Any
    """The level (or the arm's name) that all others are compared with."""
    config: Any = RunConfig()  # noqa: RUF009 - it is frozen
    """What every arm starts from: the fixed hyperparameters; a configuration of the task."""
    task: Task = TEXT
    """What is ablated; the text classifier unless another is given."""
    metric: str = "accuracy"
    """What the verdict is about, measured on test."""
    margin: float | None = None
    """Smallest effect worth acting on, in units of the metric."""
    floor: float | Literal["chance"] | None = "chance"
    """What a FAILED run is worth; ``chance`` is what always naming the commonest class gives, or
    ln C for a loss. Without one a failure leaves its arm INCONCLUSIVE."""
    collapse: Collapse = "half"
    """Which runs count as FAILED(collapsed). ``half``: those that keep less than half of their
    arm's gain over chance, in arms whose median gains more than eight robust standard deviations.
    A number: those whose metric on test is within that distance of chance. None: none."""
    scope: Scope = "new_examples"
    """What verdicts are about, where the metric is a mean over examples: ``new_examples``, new
    seeds and new test examples; ``this_split``, new seeds on this very test split."""
    seeds: int = 8
    """Blocks: each arm is trained once with each of the seeds 0, 1, ..., seeds - 1."""
    looks: Sequence[int] = ()
    """Seeds at which to look, rising; only undecided arms get more. Replaces ``seeds``."""
    spend: Sequence[float] = ()
    """Error rate spent at each look; 0.05 in rising shares where looks are given without it."""
    numerics: bool = False
    """Whether the report shows the task's own table: for the text classifier, what each fill of
    the arms does in each dtype, computed without training."""
    caveats: Sequence[str] = ()
    """Sentences printed with the report."""
    complete_arms: tuple[Arm, ...] = dataclasses.field(init=False, repr=False, compare=False)
    """The arms in declared order, each a complete run configuration; derived, never given."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise Refused(
                f"A study's name matches [a-z][a-z0-9_]*; got {self.name!r}.", "Rename the study."
            )
        if (self.factor is None) == (not self.arms):
            raise Refused(
                f"Study {self.name!r} must declare either a factor with levels, or arms.",
                "Give one of the two.",
            )
        _check_budget(self)
        object.__setattr__(self, "complete_arms", _complete_arms(self))
        _check_arms(self)

    @property
    def schedule(self) -> tuple[Look, ...]:
        """Seeds and error rate of each look; one look where the seeds are fixed."""
        if not self.looks:
            return (Look(self.seeds, ALPHA),)
        shares = range(1, len(self.looks) + 1)
        spend = self.spend or [round(ALPHA * share / sum(shares), 12) for share in shares]
        return tuple(map(Look, self.looks, spend))

    @property
    def most_seeds(self) -> int:
        """Seeds of an arm that no look decides."""
        return self.schedule[-1].seeds

    @property
    def baseline_name(self) -> str:
        """Name of the arm that all others are compared with."""
        if self.factor is None:
            return str(self.baseline)
        return level_name(_as_stored(self.config, self.factor, self.baseline))


def _complete_arms(study: Study) -> tuple[Arm, ...]:
    """Returns the study's arms in declared order, each a complete run configuration."""
    if study.factor is None:
        declared = [(name, dict(paths)) for name, paths in study.arms.items()]
    else:
        stored = [_as_stored(study.config, study.factor, level) for level in study.levels]
        declared = [(level_name(level), {study.factor: level}) for level in stored]
    arms = []
    for name, levels in declared:
        config = study.config
        offset = levels.pop(OFFSET, None)
        for path, level in levels.items():
            config = replace(config, path, level)
        arms.append(Arm(name=name, config=config, levels=levels, seed_offset=offset))
    return tuple(arms)


def level_name(level: Any) -> str:
    """Returns what a level is called: a name as it is, anything else by its repr."""
    return level if isinstance(level, str) else repr(level)


def _as_stored(config: Any, path: str, level: Any) -> Any:
    """Returns the level as the configuration stores it: an int becomes a float where due."""
    return flatten(replace(config, path, level))[path]


def _check_budget(study: Study) -> None:
    known = study.task.metrics
    if study.metric not in known:
        raise Refused(
            f"Study {study.name!r} has the unknown metric {study.metric!r}."
            f"{nearest(str(study.metric), known)}",
            f"Metrics: {', '.join(known)}.",
        )
    if type(study.seeds) is not int or study.seeds < 1:
        raise Refused(
            f"A study needs at least 1 seed; got {study.seeds!r}.",
            "Give 5 or more for verdicts; fewer are a screening.",
        )
    if study.margin is not None and not study.margin > 0:
        raise Refused(f"A margin must be > 0; got {study.margin!r}.", "Give a margin or None.")
    if isinstance(study.collapse, str):
        if study.collapse != "half":
            raise Refused(f"No collapse rule {study.collapse!r}.", "Give 'half', or None.")
    elif study.collapse is not None and not study.collapse >= 0:
        raise Refused(f"collapse must be >= 0; got {study.collapse!r}.", "Give a distance.")
    if study.scope not in get_args(Scope):
        raise Refused(
            f"No scope {study.scope!r}.{nearest(str(study.scope), get_args(Scope))}",
            f"Scopes: {', '.join(get_args(Scope))}.",
        )
    if not (study.floor is None or study.floor == "chance" or math.isfinite(study.floor)):
        raise Refused(f"floor must be finite; got {study.floor!r}.", "Give a value, or 'chance'.")
    looks, spend = list(study.looks), list(study.spend)
    if looks != sorted(set(looks)) or (looks and looks[0] < 1):
        raise Refused(f"Looks must rise, from 1 or more; got {study.looks!r}.", "Sort them.")
    if spend and (len(spend) != len(looks) or min(spend) <= 0 or sum(spend) > ALPHA + 1e-12):
        raise Refused(
            f"What looks spend must be > 0, one share each, and sum to at most {ALPHA}; got "
            f"{study.spend!r} for looks {study.looks!r}.",
            "Leave spend out: the looks then share 0.05 in rising parts.",
        )


def _check_arms(study: Study) -> None:
    arms = study.complete_arms
    names = [arm.name for arm in arms]
    if any(study.task.data_paths & set(arm.levels) for arm in arms):
        raise Refused(
            f"Arms of study {study.name!r} differ in their data: nothing pairs them.",
            "Compare arms on one data set, and run the study again with DATA=... for another.",
        )
    if len(arms) < 2:  # noqa: PLR2004 - a comparison takes two
        raise Refused(f"Study {study.name!r} has {len(arms)} arm(s).", "Declare at least two.")
    seen: dict[tuple[Any, int | None], str] = {}
    for arm in arms:
        what = (arm.config, arm.seed_offset)
        if what in seen:
            raise Refused(
                f"Arms {seen[what]!r} and {arm.name!r} of study {study.name!r} are one and "
                "the same configuration.",
                "Remove one of them.",
            )
        seen[what] = arm.name
    if study.baseline_name not in names:
        raise Refused(
            f"The baseline {study.baseline_name!r} of study {study.name!r} is none of its arms."
            f"{nearest(study.baseline_name, names)}",
            f"Arms: {', '.join(names)}.",
        )
