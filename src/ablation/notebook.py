"""A study's evidence in a notebook or a script: frames, the answer, figures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ablation.errors import Refused, nearest

if TYPE_CHECKING:
    import pandas as pd

    from ablation.analysis.sets import Sets
    from ablation.report import Basis, Content
    from ablation.study.spec import Study


class Loaded:
    """The record of a study; a notebook shows it as the answer with its evidence.

    Args:
        content: A report's content.
    """

    def __init__(self, content: Content) -> None:
        self.content = content

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run and metric."""
        return self.content.runs

    @property
    def curves(self) -> pd.DataFrame:
        """One row per run, metric and epoch."""
        return self.content.curves

    @property
    def effects(self) -> pd.DataFrame:
        """One row per arm, the baseline first: effect, intervals, verdict."""
        return self.content.judged.effects

    @property
    def answer(self) -> str:
        """The answer of the study, as a paragraph."""
        return " ".join(self.content.answer)

    @cached_property
    def basis(self) -> Basis:
        """The values that a report's parts start from, as in ``parts.looks.find(study.basis)``."""
        from ablation.report import Basis

        return Basis(self.content)

    def forest(self) -> Any:
        """Draws the paired differences with margin, intervals and verdicts."""
        return self._drawn("differences")

    def response(self) -> Any:
        """Draws the metric over the levels of an ordered factor."""
        return self._drawn("response")

    def looks(self) -> Any:
        """Draws what each look decided."""
        return self._drawn("decisions", "looks")

    def seeds(self) -> Any:
        """Draws each seed as a line across the arms."""
        return self._drawn("seeds")

    def learning_curves(self) -> Any:
        """Draws loss and metric over the epochs."""
        return self._drawn("curves")

    def probes(self) -> Any:
        """Draws what the attention does over the epochs."""
        return self._drawn("probes")

    def movement(self) -> Any:
        """Draws how far the attention's tensors move over the epochs, and their gradients."""
        return self._drawn("movement")

    def variance(self) -> Any:
        """Draws what choosing the arm and choosing the seed move."""
        return self._drawn("variance")

    def interactions(self) -> Any:
        """Draws what two crossed factors do together beyond each alone."""
        return self._drawn("interactions")

    def _drawn(self, name: str, method: str = "") -> Any:
        from ablation import figures
        from ablation.report.parts import drawing_of

        draw = drawing_of(self.basis, name)
        if draw is None:
            raise Refused(
                f"{self.content.label} has nothing to draw as {method or name!r}.",
                "A response takes one numeric factor, looks a study that looks more than once, "
                "interactions two crossed factors, curves and probes runs that recorded them.",
            )
        with figures.without_glyph_warnings():
            figure: Any = draw()
        # A figure that pyplot did not make has no picture of its own in a notebook.
        figure._repr_png_ = partial(figures.png, figure)
        return figure

    def __repr__(self) -> str:
        return f"{self.content.label}: {self.answer}"

    def _repr_html_(self) -> str:
        from ablation.figures import svg
        from ablation.report.parts.verdicts import verdict_table
        from ablation.report.render.html import fragment
        from ablation.report.render.svg import standalone

        image = standalone(svg(self.forest(), "differences")).encode()
        address = f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"
        paired = self.content.declaration.paired
        table = verdict_table(self.effects, self.basis.scale, paired=paired)
        return fragment(self.content.wording["question"], self.answer, address, table)


class LoadedSets(Mapping[str, Loaded]):
    """The results on several data sets, by the name of the set: each judged by itself.

    Args:
        loaded: Data set to its results.
    """

    def __init__(self, loaded: Mapping[str, Loaded]) -> None:
        self._loaded = loaded

    def __getitem__(self, name: str) -> Loaded:
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)

    @cached_property
    def _over(self) -> Sets:
        from ablation.report.sets import over_sets

        if len({frozenset(each.effects["arm"]) for each in self.values()}) > 1:
            raise Refused(
                "The data sets do not have the same arms, so nothing holds over all of them.",
                "Read the results on each: judged['name of the set'].",
            )
        return over_sets(list(self), {name: each.basis for name, each in self.items()})

    @property
    def over(self) -> pd.DataFrame:
        """One row per arm besides the baseline: on how many data sets each claim holds."""
        return self._over.over

    @property
    def answer(self) -> str:
        """The answer over all data sets."""
        from ablation.analysis.sets import answer_over

        return " ".join(answer_over(self._over))

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values()))


@overload
def judge(
    frame: pd.DataFrame,
    *,
    arm: str,
    metric: str,
    baseline: str | float,
    dataset: str,
    **asked: Any,
) -> LoadedSets: ...


@overload
def judge(
    frame: pd.DataFrame, *, arm: str, metric: str, baseline: str | float, **asked: Any
) -> Loaded: ...


def judge(
    frame: pd.DataFrame,
    *,
    arm: str,
    metric: str,
    baseline: str | float,
    seed: str | None = None,
    margin: float | None = None,
    dataset: str | None = None,
    name: str = "table",
    **more: Any,
) -> Loaded | LoadedSets:
    """Judges a table of results; nothing is trained and nothing is written.

    Args:
        frame: A row per run; or a row per seed, with a column per arm.
        arm: Column of the arm; or the columns of all arms, with commas, or ``*``.
        metric: Column of the metric; or, if each arm has a column, its name.
        baseline: The arm that all others are compared with.
        seed: Column of the seed that the runs of a block share.
        margin: Smallest effect worth acting on, in units of the metric.
        dataset: Column of the data set. Each is judged by itself, and the results are a mapping
            from its name, with the answer over all of them.
        name: Name of the result.
        **more: Further fields of :class:`ablation.results.Question`, such as
            ``lower_is_better=True``, ``unpaired=True`` or ``where=("split=test",)``.

    Raises:
        Refused: If the table cannot be judged.
    """
    from ablation.results import Question, Table, judge_table

    asked = Question(
        arm=arm, metric=metric, baseline=str(baseline), seed=seed, margin=margin, **more
    )
    table = Table(frame=frame, name=name, origin="a frame in Python")
    found = {of: Loaded(each) for of, each in judge_table(table, asked, dataset=dataset).items()}
    return found[""] if dataset is None else LoadedSets(found)


def run(
    study: Study | str,
    *,
    seeds: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    store: Path | str | None = None,
    reports: Path | str = "reports",
) -> Loaded:
    """Runs what is missing of a study, records it, writes its report and returns it.

    Interrupt it at any time: the same call goes on where it stopped.

    Args:
        study: A study, or the name or the path of its file.
        seeds: Seeds per arm; replaces the study's seeds and looks.
        workers: Number of training processes; one per core if None.
        device: ``auto``, ``cpu`` or ``cuda``.
        store: Folder of ``mlflow.db``; None means MLFLOW_TRACKING_URI or the working folder.
        reports: Folder of the reports.

    Raises:
        Refused: If the study cannot be run, such as with a function that the notebook or the
            script itself defines: worker processes can import only what is in a file.
    """
    from ablation.cli.asked import check_arms, cores, plan_of
    from ablation.cli.output import show_line
    from ablation.cli.progress import follow
    from ablation.cli.recorded import write_report
    from ablation.execute import ProcessCrew, session
    from ablation.execute.garbage import loading, seldom
    from ablation.execute.pool import main_unknown, prepare_pool
    from ablation.execute.walk import Orders
    from ablation.records.places import places
    from ablation.study.load import STUDIES
    from ablation.study.load import load as load_study
    from ablation.task import Redirection

    asked = load_study(study, STUDIES) if isinstance(study, str) else study
    _refuse_more_than_arms(asked)
    where, task = places(None if store is None else Path(store)), asked.task
    at_once = workers or max(1, cores() // task.threads)
    with seldom():
        with loading():
            given = plan_of(asked, Redirection(data=next(iter(asked.data), None)), seeds)
        check_arms(given)
        with main_unknown(), ProcessCrew(at_once) as crew:
            prepare_pool(*task.preload, environment=task.environment)
            with session(given, where, tell=show_line) as opened:
                for _ in follow(opened, crew, None, Orders(device=device)):
                    pass
            if not opened.outcomes:
                failures = "; ".join(opened.attempts.summary())
                raise Refused(f"No trial has an outcome. {failures}", "Fix it and run it again.")
            return Loaded(write_report(opened.home, where, Path(reports), crew))


def _refuse_more_than_arms(study: Study) -> None:
    """Refuses a study that takes more than one plan of arms."""
    if len(study.data) > 1:
        raise Refused(
            f"Study {study.name!r} names {len(study.data)} data sets, and a call runs one.",
            "Use the command: ablation run NAME; or one call for each, with data=(...).",
        )
    if study.tune or study.search:
        raise Refused(
            f"Study {study.name!r} tunes or searches first, and a call only runs arms.",
            "Use the command: ablation run NAME",
        )


def load(name: str, *, store: Path | str | None = None) -> Loaded:
    """Loads what is recorded of a study.

    Args:
        name: A study, as in ``init_std`` or ``init_std@trec``, the path of its file, or the folder
            of a report, which needs no record.
        store: Folder of ``mlflow.db``; None means MLFLOW_TRACKING_URI or the working folder.

    Raises:
        Refused: If nothing is recorded under that name.
    """
    from ablation import report, tracking
    from ablation.records.places import places
    from ablation.study.load import STUDIES, known_studies
    from ablation.study.load import load as load_study

    if (Path(name) / "study.json").exists():
        return Loaded(report.read(Path(name)))
    if name.endswith(".py"):
        name = load_study(name, STUDIES).name
    elif len(Path(name).parts) > 1 and "@" not in name:
        raise Refused(f"There is no report in {name}.", "Give the folder that holds study.json.")
    where = places(None if store is None else Path(store))
    if not where.record_exists:
        raise Refused(f"Nothing is recorded in {where.tracking}.", "Run a study first.")
    client, study = tracking.connect(where.tracking), name.partition("@")[0]
    home = tracking.find_home(client, study, name)
    if home is None:
        known = known_studies(STUDIES)
        hint = "" if study in known else nearest(study, known)
        raise Refused(f"No runs of {name!r} are recorded.{hint}", f"Run it: ablation run {study}")
    return Loaded(report.gather(home))
