"""A study: a question, the arms that answer it, and everything fixed before any run."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from ablation.errors import Refused, nearest
from ablation.records.declaration import Collapse, Look, Scope
from ablation.records.explained import explained
from ablation.records.kinds import check_kinds, shown
from ablation.records.metric import Metric
from ablation.records.paths import flatten, replace, replace_all
from ablation.study.design import Design, arms_of, level_name
from ablation.study.searched import (
    BASELINE,
    Tuned,
    Tuning,
    check_search,
    procedure_of,
)
from ablation.study.space import Space
from ablation.task import Task
from ablation.task.function import function_task
from ablation.task.text import TEXT
from ablation.task.text.config import RunConfig

ALPHA = 0.05
"""Error rate of each family of comparisons."""

OFFSET = "seed_offset"
"""Key by which an arm of an A/A study sets its seed offset, in place of a path."""


MOST_SEEDS, MOST_TRIALS, MOST_OFFSET = 10_000, 1_000_000, 10**9
FEWEST_CONFIRMED = 3
"""Fresh seeds below which there is no estimate worth its interval."""
MOST_LETTERS = 200
"""Of an arm's name."""


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
    """How it was tuned in every block: a part of the identity of its trials."""


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One question. Give ``factor`` with ``levels``, ``factors`` with a ``design``, or ``arms``.

    Raises:
        Refused: If the declaration names an unknown field, metric or arm, or contradicts itself.

    >>> study = Study(
    ...     name="dropout",
    ...     question="Does dropout matter?",
    ...     factor="model.dropout",
    ...     levels=[0, 0.3],
    ...     baseline=0.3,
    ... )
    >>> [arm.name for arm in study.complete_arms]
    ['0.0', '0.3']
    """

    name: str
    """Matches ``[a-z][a-z0-9_]*``."""
    question: str
    """The question, as a sentence."""
    title: str = ""
    """Heading of the report; the name if empty."""
    factor: str | None = None
    """Dotted path into the run configuration, for example ``"model.attention.init_std"``."""
    levels: Sequence[Any] = ()
    """The values of the factor, in the order of the report."""
    factors: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    """Several factors: dotted path to levels. The first level of each is the baseline's; of a
    component that can be left out it is the level with the component."""
    design: Design | Sequence[Design] = ()
    """How the factors make arms, one design or several united: ``one_at_a_time``,
    ``leave_one_out`` and ``add_one_in`` (with all components and with none as their baseline),
    ``factorial``, or ``fractional`` (resolution IV)."""
    arms: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """Explicit arms: name to the paths that the arm sets. The key ``seed_offset`` makes a copy of
    the baseline for an A/A study."""
    baseline: Any = None
    """The level (or the arm's name) that all others are compared with; not for ``factors``."""
    config: Any = RunConfig()  # noqa: RUF009 - it is frozen
    """The configuration that every arm starts from: the fixed hyperparameters."""
    data: Sequence[str] = ()
    """Data sets, each a path or a Hub id, that replace the configuration's: the study runs on one
    after the other, is judged on each by itself, and has one more report over all of them."""
    task: Task = TEXT
    """The task under study; the text classifier by default, and that of ``run`` if it is given."""
    run: Callable[..., Any] | None = None
    """A function of your own in place of the text classifier: ``run(config, seed)`` returns a
    mapping of metrics, or yields one per epoch and returns the last."""
    inputs: Sequence[str | Path] = ()
    """Files and folders that ``run`` reads; their content is part of a trial's identity."""
    version: str = ""
    """Part of a trial's identity: change it where ``run`` changes in a way no source shows."""
    threads: int = 1
    """Threads that ``run`` computes with in each worker."""
    data_field: str | None = None
    """Dotted path of the configuration's field that names the data ``run`` trains on."""
    folder: Path | None = None
    """Folder of the study file; filled in when it is loaded."""
    metric: str | Metric = "accuracy"
    """The metric of the verdict, measured on test."""
    margin: float | None = None
    """Smallest effect worth acting on, in units of the metric."""
    floor: float | Literal["chance"] | None = "chance"
    """Value of the metric assigned to a FAILED run. ``chance`` is the value for always predicting
    the most frequent class, or ln C for a loss. If None, a failure leaves its arm INCONCLUSIVE."""
    collapse: Collapse = "half"
    """Which runs count as FAILED(collapsed). ``half``: those that keep less than half of their
    arm's gain over chance, in arms whose median gains more than eight robust standard deviations.
    A number: those whose metric on test is within that distance of chance. None: none."""
    scope: Scope = "new_examples"
    """What verdicts are about, where the metric is a mean over examples: ``new_examples``, new
    seeds and new test examples; ``this_split``, new seeds on this very test split."""
    show_texts: bool = True
    """Whether the report may show test texts, with the weights that each arm gives to their
    words."""
    seeds: int = 8
    """Number of blocks: each arm is trained once with each of the seeds 0, 1, ..., seeds - 1."""
    first_seed: int = 0
    """Training seed of the first block: block s of the record trains with ``first_seed + s``."""
    confirm: int = 0
    """Fresh seeds on which the arms that were decided, and the baseline, run once more: they take
    no part in the verdicts, and so their estimate of a difference is not the luckiest one."""
    looks: Sequence[int] = ()
    """Numbers of seeds at which to look, ascending; only undecided arms get more. Replaces
    ``seeds``."""
    spend: Sequence[float] = ()
    """Error rate spent at each look; by default, ascending shares of 0.05."""
    tune: Space = dataclasses.field(default_factory=dict)
    """Nuisance hyperparameters: dotted path to its range, a ``LogUniform`` or a tuple of values.
    They are tuned for each arm by itself, on validation and on seeds from 10,000."""
    tuning_trials: int = 16
    """Trials of each arm's tuning."""
    tuning: Tuning = "once"
    """``once``: each arm is tuned once, and verdicts are conditional on what was found; or
    ``per_replicate``: anew in every block, and verdicts are about tuning luck, too."""
    search: Space = dataclasses.field(default_factory=dict)
    """In place of a factor: dotted path to its range, searched together. The best configurations
    become the arms, and ``config`` is the baseline."""
    search_trials: int = 100
    """Trials of the search."""
    best: int = 3
    """Number of configurations of a search that become arms."""
    pruner: str = "successive_halving"
    """What ends hopeless trials of a tuning or a search: ``successive_halving``, ``median``,
    ``none``."""
    tuned: Tuned = dataclasses.field(default_factory=dict)
    """Arm to the values that were found; filled in when the tuning or the search is done."""
    tuned_by_block: Mapping[str, Sequence[Mapping[str, Any]]] = dataclasses.field(
        default_factory=dict
    )
    """Likewise arm to the values of each block, of a tuning in every block."""
    timeout: float | None = None
    """Seconds that a trial may take; one that takes longer is FAILED(timeout), an outcome. Part
    of the trials' keys if it is set."""
    memory: float | None = None
    """GiB of resident memory that a trial's process may have, PyTorch included; one that has more
    is FAILED(oom), an outcome. Part of the trials' keys if it is set."""
    numerics: bool = False
    """Whether the report shows the task's own table. For the text classifier it is computed
    without training: the effect of each fill of the arms in each dtype."""
    caveats: Sequence[str] = ()
    """Sentences printed with the report."""
    complete_arms: tuple[Arm, ...] = dataclasses.field(init=False, repr=False, compare=False)
    """The arms in declared order, each a complete run configuration; always derived."""

    def __post_init__(self) -> None:
        check_kinds(self, "a study")
        # The ending of a derived study's name is one that no file's can have by accident.
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}(-follow-up|-fresh)?", self.name):
            raise Refused(
                f"A study's name matches [a-z][a-z0-9_]* and has at most 100 letters; got "
                f"{shown(self.name)}.",
                "Rename the study.",
            )
        ways = (self.factor is not None, self.factors, self.arms, self.search)
        if sum(map(bool, ways)) != 1:
            raise Refused(
                f"Study {self.name!r} must declare a factor with levels, factors with a design, "
                "or arms, or search.",
                "Give exactly one of the four.",
            )
        check_search(self)
        if self.factors and self.baseline is not None:
            raise Refused(
                f"The baseline of study {self.name!r} is the first level of each factor; got "
                f"{self.baseline!r}.",
                "Leave baseline out, and put its levels first.",
            )
        if self.run is None and not isinstance(self.config, Mapping | type(self.task.config)):
            kind = type(self.task.config).__name__
            raise Refused(
                f"config of a study must be a {kind}; got {shown(self.config)}.",
                f"Give a {kind}(...), or leave config out.",
            )
        if self.run is not None:
            object.__setattr__(self, "task", _task_of(self))
        elif isinstance(self.config, Mapping) or self.inputs or self.version or self.data_field:
            raise Refused(
                f"Study {self.name!r} gives a mapping as config, inputs, version or data_field, "
                "but no run.",
                "Give run=..., a function of your own.",
            )
        if isinstance(self.metric, Metric):
            object.__setattr__(self, "metric", self.metric.name)
        elif isinstance(self.metric, str):
            object.__setattr__(self, "metric", self.metric.removeprefix("test/"))
        _check_budget(self)
        _check_limits(self)
        object.__setattr__(self, "complete_arms", _complete_arms(self))
        _check_arms(self)

    @property
    def measure(self) -> Metric:
        """The metric of the verdict, with the way it is written."""
        return self.task.metrics[str(self.metric)]

    @property
    def schedule(self) -> tuple[Look, ...]:
        """Seeds and error rate of each look; a single look if the number of seeds is fixed."""
        if not self.looks:
            return (Look(self.seeds, ALPHA),)
        shares = range(1, len(self.looks) + 1)
        spend = self.spend or [round(ALPHA * share / sum(shares), 12) for share in shares]
        return tuple(map(Look, self.looks, spend))

    @property
    def most_seeds(self) -> int:
        """Number of seeds of an arm that stays undecided at every look."""
        return self.schedule[-1].seeds

    @property
    def baseline_name(self) -> str:
        """Name of the arm that all others are compared with."""
        if self.factors or self.search:
            return self.complete_arms[0].name
        if self.factor is None:
            return str(self.baseline)
        return level_name(_as_stored(self.config, self.factor, self.baseline))


def _task_of(study: Study) -> Task:
    """Returns the task of a study's own function; a copy of the study keeps its metric."""
    assert study.run is not None
    known = None if study.task is TEXT else study.task.metrics.get(str(study.metric))
    return function_task(
        study.run,
        config=None if isinstance(study.config, RunConfig) else study.config,
        metric=known or study.metric,
        inputs=study.inputs,
        version=study.version,
        threads=study.threads,
        data_field=study.data_field,
        folder=study.folder,
    )


def _complete_arms(study: Study) -> tuple[Arm, ...]:
    """Returns the study's arms in declared order, each a complete run configuration."""
    if study.search:
        declared = [(BASELINE, {}), *((name, dict(paths)) for name, paths in study.tuned.items())]
    elif study.factors:
        factors = {
            path: [_as_stored(study.config, path, level) for level in levels]
            for path, levels in study.factors.items()
        }
        declared = list(arms_of(factors, study.design).items())
    elif study.factor is None:
        declared = [(name, dict(paths)) for name, paths in study.arms.items()]
    else:
        stored = [_as_stored(study.config, study.factor, level) for level in study.levels]
        declared = [(level_name(level), {study.factor: level}) for level in stored]
    arms = []
    for name, levels in declared:
        offset = levels.pop(OFFSET, None)
        tuned = {} if study.search else study.tuned.get(name, {})
        config = replace_all(study.config, {**levels, **tuned})
        of_blocks = enumerate(study.tuned_by_block.get(name, ()))
        arms.append(
            Arm(
                name=name,
                config=config,
                levels=levels,
                seed_offset=offset,
                by_seed={seed: replace_all(config, of) for seed, of in of_blocks},
                procedure=procedure_of(study),
            )
        )
    return tuple(arms)


def _as_stored(config: Any, path: str, level: Any) -> Any:
    """Returns the level as the configuration stores it: an int in a float field as a float."""
    return flatten(replace(config, path, level))[path]


def _check_limits(study: Study) -> None:
    for name, unit in {"timeout": "seconds", "memory": "GiB"}.items():
        limit = getattr(study, name)
        if limit is not None and not 0 < limit < float("inf"):
            raise Refused(f"{name} must be > 0; got {limit!r}.", f"Give {unit}, or None.")


def _check_budget(study: Study) -> None:
    known = study.task.metrics
    if study.metric not in known:
        raise Refused(
            f"Study {study.name!r} has the unknown metric {study.metric!r}."
            f"{nearest(str(study.metric), known)}",
            f"Metrics: {', '.join(known)}.",
        )
    if study.seeds < 1:
        raise Refused(
            f"A study needs at least 1 seed; got {study.seeds!r}.",
            "Give 5 or more for verdicts; fewer are a screening.",
        )
    if max((study.seeds, *study.looks)) > MOST_SEEDS:
        raise Refused(
            f"A study has at most {MOST_SEEDS:,} seeds; got {max((study.seeds, *study.looks)):,}.",
            "Give fewer: a hundred show what can be shown.",
        )
    if study.first_seed < 0:
        raise Refused(f"first_seed must be >= 0; got {study.first_seed}.", "Change first_seed.")
    if study.confirm and not FEWEST_CONFIRMED <= study.confirm <= MOST_SEEDS:
        raise Refused(
            f"confirm must be 0, or {FEWEST_CONFIRMED} to {MOST_SEEDS:,} seeds; got "
            f"{study.confirm}.",
            "Give as many as the study has seeds.",
        )
    if len(set(study.data)) < len(study.data):
        raise Refused(
            f"data names each data set once, in a tuple; got {shown(study.data)}.",
            "Write data=('trec', 'sst2').",
        )
    _check_numbers(study)
    if study.scope not in get_args(Scope):
        raise Refused(
            f"No scope {study.scope!r}.{nearest(str(study.scope), get_args(Scope))}",
            f"Scopes: {', '.join(get_args(Scope))}.",
        )
    looks, spend = list(study.looks), list(study.spend)
    if looks != sorted(set(looks)) or (looks and looks[0] < 1):
        raise Refused(
            f"Looks must be ascending and >= 1; got {study.looks!r}.", "Sort them, each once."
        )
    if spend and (
        len(spend) != len(looks) or not min(spend) > 0 or not sum(spend) <= ALPHA + 1e-12
    ):
        raise Refused(
            f"spend must hold one number > 0 per look, with a sum of at most {ALPHA}; got "
            f"{study.spend!r} for looks {study.looks!r}.",
            "Leave spend out: the looks then share 0.05 in ascending parts.",
        )


def _check_numbers(study: Study) -> None:
    """Refuses a margin, collapse or floor that no difference or value of the metric can have."""
    in_points = (study.measure.unit, study.measure.factor) == ("points", 100)
    most = 1.0 if in_points else sys.float_info.max
    said = " and at most 1, since a point is a hundredth" if in_points else ""
    if study.margin is not None and not 0 < study.margin <= most:
        raise Refused(
            f"A margin must be > 0{said}; got {study.margin!r}.", "Give a margin or None."
        )
    if isinstance(study.collapse, int | float) and not 0 <= study.collapse <= most:
        raise Refused(f"collapse must be >= 0{said}; got {study.collapse!r}.", "Give a distance.")
    if isinstance(study.floor, int | float) and not 0 <= abs(study.floor) <= most:
        raise Refused(
            f"floor must be finite{said}; got {study.floor!r}.", "Give a value, or 'chance'."
        )


def _check_arms(study: Study) -> None:
    arms = study.complete_arms
    names = [arm.name for arm in arms]
    for arm in arms:
        _check_arm(study, arm)
    if any(study.task.data_paths & set(arm.levels) for arm in arms):
        raise Refused(
            f"Arms of study {study.name!r} differ in their data, so they cannot be paired.",
            "Compare arms on one data set; run the study again with DATA=... for another.",
        )
    if study.search and not study.tuned:
        return  # the other arms are what the search will find
    if len(arms) < 2:  # noqa: PLR2004 - a comparison takes two
        raise Refused(f"Study {study.name!r} has {len(arms)} arm(s).", "Declare at least two.")
    if len(arms) * study.most_seeds > MOST_TRIALS:
        raise Refused(
            f"Study {study.name!r} plans {len(arms) * study.most_seeds:,} trials; at most "
            f"{MOST_TRIALS:,} can be kept.",
            "Declare fewer arms or seeds.",
        )
    seen: dict[tuple[Any, int | None], str] = {}
    for arm in arms:
        # As it is identified: two values with one repr would share their runs.
        written = tuple((path, repr(value)) for path, value in flatten(arm.config).items())
        what = (written, arm.seed_offset)
        if what in seen:
            raise Refused(
                f"Arms {seen[what]!r} and {arm.name!r} of study {study.name!r} have the same "
                "configuration, as it is written down.",
                "Remove one of them, or give their values different reprs.",
            )
        seen[what] = arm.name
    if study.baseline_name not in names:
        raise Refused(
            f"The baseline {study.baseline_name!r} of study {study.name!r} is not one of its arms."
            f"{nearest(study.baseline_name, names)}",
            f"Arms: {', '.join(names)}.",
        )


def _check_arm(study: Study, arm: Arm) -> None:
    """Refuses an arm whose name cannot be read, or whose seed offset is none."""
    if not arm.name.strip() or len(arm.name) > MOST_LETTERS or not arm.name.isprintable():
        raise Refused(
            f"An arm of study {study.name!r} is named {shown(arm.name)}; a name is 1 to "
            f"{MOST_LETTERS} printable letters.",
            "Rename the arm, or give the level a shorter text.",
        )
    offset = arm.seed_offset
    if offset is not None and (type(offset) is not int or not 0 <= offset <= MOST_OFFSET):
        raise Refused(
            f"seed_offset of arm {arm.name!r} must be a whole number from 0 to {MOST_OFFSET:,}; "
            f"got {shown(offset)}.",
            "Give for example 1000.",
        )
