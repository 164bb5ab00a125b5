"""A study: a question, the arms that answer it, and everything fixed before any run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ablation.records.declaration import ALPHA, Collapse, Look, Scope
from ablation.records.explained import explained
from ablation.records.kinds import check_kinds
from ablation.records.metric import Metric
from ablation.study.arm import Arm, as_stored, complete_arms
from ablation.study.design import Design, level_name
from ablation.study.searched import Tuned, Tuning
from ablation.study.space import Space
from ablation.study.validate import check_arms, check_budget, check_form
from ablation.task import Task
from ablation.task.function import function_task
from ablation.task.text import TEXT
from ablation.task.text.config import RunConfig

FILLED_IN = {"task", "folder", "command", "tuned", "tuned_by_block"}
"""Fields of a study that its author does not write."""


@explained
@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, repr=False)
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
    command: str = ""
    """Arguments of ``ablation run`` that run the study, for a page to name; filled in when it is
    loaded, and empty where no command runs it."""
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
        check_form(self)
        if self.run is not None:
            object.__setattr__(self, "task", _task_of(self))
        if isinstance(self.metric, Metric):
            object.__setattr__(self, "metric", self.metric.name)
        elif isinstance(self.metric, str):
            object.__setattr__(self, "metric", self.metric.removeprefix("test/"))
        check_budget(self)
        object.__setattr__(self, "complete_arms", complete_arms(self))
        check_arms(self)

    def __repr__(self) -> str:
        """Returns the call that declares the study: the fields that differ from their defaults."""
        fields = (each for each in dataclasses.fields(self) if each.init)
        said = (
            f"{each.name}={value!r}"
            for each in fields
            if each.name not in FILLED_IN
            and (value := getattr(self, each.name)) != each.default
            and (each.default_factory is dataclasses.MISSING or value != each.default_factory())
        )
        return f"Study({', '.join(said)})"

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
        return level_name(as_stored(self.config, self.factor, self.baseline))


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
