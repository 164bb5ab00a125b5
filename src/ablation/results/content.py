"""From the tidy runs of a table to the content of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from ablation import tracking
from ablation.analysis.effects import judge
from ablation.errors import Refused, nearest
from ablation.records.declaration import ALPHA, Declaration, DeclaredArm, Look
from ablation.records.digest import digest
from ablation.records.taken import Taken
from ablation.report import Content
from ablation.results.measure import measure_of, quantum_of
from ablation.results.question import Question
from ablation.results.tidy import few, same

WARNINGS = (
    "The margin, the baseline and the arms were chosen with the results at hand.",
    "The verdicts hold if the number of seeds was fixed beforehand, and not by what they showed.",
)
"""Limits of a judgement that a table cannot show, to be read before the answer."""


def content_of(
    runs: pd.DataFrame, question: Question, *, label: str, origin: Mapping[str, str] | None = None
) -> Content:
    """Returns the content of the report on a table's runs.

    Args:
        runs: The columns of ``tidy``.
        question: What is asked of them.
        label: Name of the report.
        origin: Where the table is from, name to value, for the page.

    Raises:
        Refused: If the runs cannot be compared: one arm, one seed, seeds that the arms do not
            share, no such baseline, no direction.
    """
    arms = list(dict.fromkeys(runs["arm"]))
    baseline, all_runs = _find_baseline(arms, question.baseline), runs
    runs = _numbered_runs(runs) if question.unpaired else _paired(runs, question)
    declaration = _declare(runs, question, arms, baseline, label)
    frame = _runs_frame(runs, declaration, label)
    hashes = frame[["arm", "seed"]].assign(weights=None, logits=None)
    examples = pd.DataFrame(columns=list(tracking.EXAMPLES))
    taken = _taken(runs, declaration)
    return Content(
        label=label,
        declaration=declaration,
        wording={
            "question": f"Which {question.arm_name} differs from {baseline} in "
            f"{declaration.measure.title}?",
            "warnings": [*WARNINGS, *_warnings(all_runs, question), *_scales(runs, declaration)],
        },
        declared={declaration.hash: {"date": "", "runs_seen": 0}},
        current=declaration.hash,
        judged=judge(frame, hashes, declaration, examples, taken),
        runs=frame,
        curves=_no_curves(),
        examples=examples,
        details=hashes.assign(ended="", environment=0),
        environments=[{}],
        record=dict(origin or {"table": "a frame in Python"}),
        tables=_seeds_table(runs),
        taken=taken,
    )


def _find_baseline(arms: Sequence[str], asked: str) -> str:
    """Returns the baseline's name as the table writes it."""
    if len(arms) < 2:  # noqa: PLR2004 - a comparison takes two
        raise Refused(f"The table has one arm, {arms[0]!r}.", "Give the runs of at least two.")
    found = [arm for arm in arms if arm == asked] or [arm for arm in arms if same(arm, asked)]
    if len(found) != 1:
        raise Refused(
            f"No arm is the baseline {asked!r}.{nearest(asked, arms)}", f"Arms: {few(arms)}."
        )
    return found[0]


def _numbered_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that have an outcome, each with its number in its arm as its block.

    Raises:
        Refused: If an arm has a single one.
    """
    runs = runs[runs["status"] != "MISSING"]
    sizes = runs.groupby("arm", sort=False).size()
    if len(lone := list(sizes.index[sizes < 2])):  # noqa: PLR2004 - a spread takes two
        raise Refused(f"A single run says nothing of the noise: {few(lone)}.", _MORE)
    return runs.assign(block=runs.groupby("arm", sort=False).cumcount())


_MORE = "Give the results of more seeds: 5 or more for verdicts."


def _paired(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Returns the runs with the number of their seed, in rising order, as their block.

    Raises:
        Refused: If the arms do not share all seeds.
    """
    if question.seed is None:
        raise Refused(
            "Runs are compared seed by seed, and no column names the seed.",
            "Give it (--seed COLUMN), or compare the means of the arms (--unpaired).",
        )
    seeds = sorted_seeds(list(dict.fromkeys(runs["seed"])))
    if len(seeds) < 2:  # noqa: PLR2004 - a spread takes two
        raise Refused(f"A single seed, {seeds[0]}, says nothing of the noise.", _MORE)
    lacking = {
        str(arm): [seed for seed in seeds if seed not in set(of)]
        for arm, of in runs.groupby("arm", sort=False)["seed"]
    }
    ragged = {arm: few(lacks) for arm, lacks in lacking.items() if lacks}
    if ragged:
        shared = len(seeds) - len({seed for lacks in lacking.values() for seed in lacks})
        raise Refused(
            f"The arms share {shared} of {len(seeds)} seeds; "
            f"{few([f'{arm} lacks {lacks}' for arm, lacks in ragged.items()])}.",
            "Run what is missing, leave seeds or arms out (--where COLUMN=VALUE), or compare the "
            "means of the arms (--unpaired).",
        )
    return runs.assign(block=runs["seed"].map({seed: i for i, seed in enumerate(seeds)}))


def sorted_seeds(seeds: Sequence[str]) -> list[str]:
    """Returns seeds in rising order if all are numbers, else in their own.

    >>> sorted_seeds(["10", "9"]), sorted_seeds(["wine", "digits"])
    (['9', '10'], ['wine', 'digits'])
    """
    try:
        return sorted(seeds, key=float)
    except ValueError:
        return list(seeds)


def _declare(
    runs: pd.DataFrame, question: Question, arms: Sequence[str], baseline: str, label: str
) -> Declaration:
    values = runs["value"].dropna()
    if values.empty:
        raise Refused("No run finished.", "Say which statuses are finished runs.")
    measure, quantum = measure_of(question, values), quantum_of(question, values)
    if question.margin is not None and question.margin < quantum:
        raise Refused(
            f"A margin of {question.margin!r} is below the step of {measure.title} on "
            f"{question.examples} examples, {quantum:.2g}.",
            f"Give a margin of at least {quantum:.2g}.",
        )
    data = digest(runs[["arm", "seed", "value", "status"]].astype(str).to_numpy().tolist())
    factor = None if question.unpaired or question.arms else question.arm
    return Declaration(
        name=label,
        arms=tuple(
            DeclaredArm(
                name=arm,
                config=digest(arm, data),
                values={} if factor is None else {factor: _literal(arm)},
            )
            for arm in arms
        ),
        baseline=baseline,
        factor=factor,
        metric=measure.name,
        margin=question.margin,
        floor=question.chance,
        chance=question.chance,
        collapse=None if question.chance is None else "half",
        quantum=quantum,
        looks=(Look(1 + int(runs["block"].max()), ALPHA),),
        data=data,
        scope="this_split",
        described=measure,
        paired=not question.unpaired,
        table=True,
    )


def _literal(arm: str) -> str:
    """Returns the Python literal of a level: numbers as they are, else a string's."""
    try:
        return repr(float(arm)) if math.isfinite(float(arm)) else repr(arm)
    except ValueError:
        return repr(arm)


def _runs_frame(runs: pd.DataFrame, declaration: Declaration, label: str) -> pd.DataFrame:
    """Returns the runs with an outcome as a runs frame, block by block."""
    place = {arm.name: i for i, arm in enumerate(declaration.arms)}
    configs = {arm.name: arm.config for arm in declaration.arms}
    kept = runs[runs["status"] != "MISSING"]
    frame = pd.DataFrame(
        {
            "study": label,
            "config": kept["arm"].map(configs),
            "arm": kept["arm"],
            "seed": kept["block"].astype("int64"),
            "split": "test",
            "metric": declaration.metric,
            "value": kept["value"].astype(float),
            "status": kept["status"],
            "reason": kept["reason"],
            "epoch": 0,
            "seconds": 0.0,
            "run_id": kept["arm"] + "/" + kept["seed"],
        }
    )
    order = frame["arm"].map(place).rename("place")
    frame = frame.assign(place=order).sort_values(["seed", "place"], kind="stable")
    return frame[list(tracking.RUNS)].reset_index(drop=True)


def _taken(runs: pd.DataFrame, declaration: Declaration) -> Taken:
    """Returns the one look, taken although runs are missing: nobody will run them here."""
    missing = runs[runs["status"] == "MISSING"]
    if missing.empty:
        return {}
    blocks = zip(missing["arm"], missing["block"].astype(int), strict=True)
    return {declaration.most_seeds: frozenset(blocks)}


def _seeds_table(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns what the table calls each seed, where that is not 0, 1, ...; unless unpaired."""
    names = runs.drop_duplicates("block").sort_values("block")
    is_shared = runs.groupby("block")["seed"].nunique().max() == 1
    if not is_shared or list(names["seed"]) == [str(block) for block in names["block"]]:
        return {}
    renamed = {"block": "seed on this page", "seed": "in the table"}
    table = names[["block", "seed"]].rename(columns=renamed).reset_index(drop=True)
    return {"seeds": table}


def _no_curves() -> pd.DataFrame:
    empty = pd.DataFrame(columns=list(tracking.CURVES))
    return empty.astype({"seed": "int64", "epoch": "int64", "value": "float64"})


LEAST_POINTS = 0.1
"""Margin in points below which the metric's scale may have been mistaken for that of a share."""


def _scales(runs: pd.DataFrame, declaration: Declaration) -> list[str]:
    """Returns what makes it likely that shares and per cent are mixed up."""
    measure, margin, values = declaration.measure, declaration.margin, runs["value"].dropna()
    if (measure.unit, measure.factor) != ("points", 1.0):
        return []
    said, within = [], int(((values > 0) & (values <= 1)).sum())
    if within:
        said.append(
            f"{within} of {len(values)} values are at most 1, and others are above: if some are "
            "shares and others per cent, no verdict holds."
        )
    if margin is not None and margin < LEAST_POINTS:
        said.append(
            f"The values are per cent, and the margin is {margin:g} of the same: for one point "
            "give a margin of 1."
        )
    return said


def _warnings(runs: pd.DataFrame, question: Question) -> list[str]:
    said = []
    if question.unpaired:
        said.append(
            "The arms are not paired: verdicts compare their means, with the degrees of freedom "
            "of the smaller side, and take larger effects to show."
        )
    if question.which is not None:
        said.append(f"Where an arm had several runs with one seed, the {question.which} is taken.")
    missing = int((runs["status"] == "MISSING").sum())
    if missing and question.unpaired:
        said.append(f"{missing} of {len(runs)} runs neither finished nor failed: left out.")
    return said
