"""Writes a study's answer: does it matter, what to use, what to avoid, what is open.

No code parses these sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any

import numpy as np
import pandas as pd

from ablation import stats
from ablation.analysis.contrasts import decided
from ablation.analysis.followup import propose
from ablation.analysis.grades import decided_by_failures, grade_of, matters, reach_of_all
from ablation.analysis.naming import baseline_of, named, quoted
from ablation.analysis.words import (
    BY_FAILURES,
    MARK,
    ODD_SHAPE,
    ON_ONE_SEED,
    REACHES,
    amount,
    between,
    exactly,
    failed_alone,
    has_odd_shape,
    rests_on_one_seed,
    short,
    unit_of_levels,
)
from ablation.records.declaration import Declaration
from ablation.records.metric import Metric, percent
from ablation.records.prose import joined

MOST_FAILING = 4
"""Most arms with some failed runs that the answer names."""

SPELT = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def answer(
    effects: pd.DataFrame, declaration: Declaration, contrasts: pd.DataFrame | None = None
) -> str:
    """Returns the study's answer as one paragraph; see :func:`answer_sentences`."""
    return " ".join(answer_sentences(effects, declaration, contrasts))


def answer_sentences(
    effects: pd.DataFrame,
    declaration: Declaration,
    contrasts: pd.DataFrame | None = None,
    command: str | None = None,
) -> list[str]:
    """Returns the study's answer in a few short sentences, the answer itself first.

    Neighbouring levels of a numeric factor are told together; an arm whose runs failed is said to
    have failed, not to be so many points worse. Intervals are those that the verdicts rest on; a
    group's is the least that holds all of them.

    Args:
        effects: One row per arm, the baseline first.
        declaration: Everything the study fixed.
        contrasts: The effects of several factors. A decided interaction is said before the arms,
            because it changes what a main effect means.
        command: Arguments of ``ablation run`` that run the study, its name if None; empty where no
            command does.
    """
    arms = effects.iloc[1:]
    if (arms["stage"] == "exploratory").all():
        return [f"Not known yet: {arms['reason'].iloc[0]}."]
    baseline = chain([baseline_of(declaration)], repeat("the baseline"))  # its name is told once
    said = [
        matters(arms, declaration),
        *([] if contrasts is None else _together(contrasts, declaration.measure)),
        *_searched(declaration),
        *_take(arms, declaration, baseline),
        *_found(arms, declaration),
        *_avoid(arms, declaration, baseline),
        *_same(arms, declaration, baseline),
        *_open(arms, declaration, declaration.name if command is None else command),
        *_some_failed(arms, declaration),
        *_weakened(arms, declaration),
    ]
    return [f"{each}." for each in said]


def _together(contrasts: pd.DataFrame, metric: Metric) -> Iterator[str]:
    """Yields the largest decided interaction, and components whose worth depends on the others."""
    rows = list(decided(contrasts, "interaction"))
    for row in rows[:1]:
        also = f", or {row['also']}, which this fraction cannot tell apart" if row["also"] else ""
        more = f"; {len(rows) - 1} more are in the table" if len(rows) > 1 else ""
        yield (
            f"Interaction: {row['name']}{also}, together {amount(row['effect'], metric)} beyond "
            f"the sum of each alone ({_ends(row, metric)}), so no effect of one holds at every "
            f"level of the other{more}"
        )
    values = {
        family: contrasts[contrasts["family"] == family].set_index("name")["effect"]
        for family in ("left_out", "added_in")
    }
    for row in decided(contrasts, "in_or_out"):
        beside, alone = (amount(values[each][row["name"]], metric) for each in values)
        yield f"Interaction: {row['name']} is worth {beside} beside all others and {alone} alone"


def _ends(row: Mapping[Any, Any], metric: Metric) -> str:
    ends = (row["adjusted_low"], row["adjusted_high"])
    return " to ".join(amount(end, metric, unit=False) for end in ends)


def _searched(declaration: Declaration) -> Iterator[str]:
    """Yields that a search chose the arms and not the baseline, where it did."""
    if declaration.searched is not None and declaration.searched.kind == "search":
        yield (
            f"The arms are the best of {declaration.searched.trials} trials of search; the "
            "baseline was not searched"
        )


def _take(arms: pd.DataFrame, declaration: Declaration, baseline: Iterator[str]) -> Iterator[str]:
    better = arms[arms["verdict"] == "BETTER"]
    by_failures = better["ground"].isin(BY_FAILURES)
    if not by_failures.all():
        yield f"Take {'; '.join(_clauses(better[~by_failures], arms, declaration, baseline))}"
    elif (arms["verdict"] == "WORSE").any():
        yield f"Keep {next(baseline)}"
    for name, row in _each(better[by_failures], declaration):
        yield f"{name} fails less: {_failed(row)}"


def _each(rows: pd.DataFrame, declaration: Declaration) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yields each arm's name, in quotes where need be, and its row."""
    yield from zip(quoted(list(rows["arm"]), declaration), rows.to_dict("records"), strict=True)


def _found(arms: pd.DataFrame, declaration: Declaration) -> Iterator[str]:
    """Yields how the best of the configurations that a search found differs from the baseline."""
    better = arms[arms["verdict"] == "BETTER"]
    if declaration.searched is None or declaration.searched.kind != "search" or not len(better):
        return
    best = str(max(better.to_dict("records"), key=lambda row: abs(row["effect"]))["arm"])
    values = {arm.name: arm.values for arm in declaration.arms}
    before = values[declaration.baseline]
    other = [
        f"{path.rpartition('.')[2]} {short(value)}"
        for path, value in values[best].items()
        if value != before[path]
    ]
    yield f"Of these, {best} is the baseline with {joined(other)}; it may not use all of these"


def _avoid(arms: pd.DataFrame, declaration: Declaration, baseline: Iterator[str]) -> Iterator[str]:
    worse = arms[arms["verdict"] == "WORSE"]
    failing = decided_by_failures(worse)
    clauses = _clauses(worse[~failing], arms, declaration, baseline) if (~failing).any() else []
    clauses += [f"{name}: {_failed(row)}" for name, row in _each(worse[failing], declaration)]
    if clauses:
        yield f"Avoid {'; '.join(clauses)}"


def _some_failed(arms: pd.DataFrame, declaration: Declaration) -> Iterator[str]:
    """Yields how often the arms failed of which some runs did, and no other sentence says so."""
    undecided = arms["verdict"] == "INCONCLUSIVE"
    told_there = [
        each and "FAILED" in _next(row)
        for each, row in zip(undecided, arms.to_dict("records"), strict=True)
    ]
    some = (arms["failed"] > 0) & (undecided | ~decided_by_failures(arms)) & ~np.array(told_there)
    told = [
        f"{name} {row['failed']} of {row['n']}" for name, row in _each(arms[some], declaration)
    ]
    if len(told) > MOST_FAILING:
        told = [*told[: MOST_FAILING - 1], f"{len(told) - MOST_FAILING + 1} more arms"]
    if told:
        yield f"Runs failed: {joined(told)}"


def _failed(row: Mapping[Any, Any]) -> str:
    """Returns how often an arm failed."""
    if row["failed"] == row["n"]:
        return f"failed in all {row['n']} runs"
    return failed_alone(row)


def _same(arms: pd.DataFrame, declaration: Declaration, baseline: Iterator[str]) -> Iterator[str]:
    rows = arms[arms["verdict"] == "EQUIVALENT"]
    if len(rows):
        assert declaration.margin is not None  # or no arm would be equivalent
        margin = exactly(declaration.margin, declaration.measure)
        told = _to_tell(rows)
        seen = ""
        if of := told["of"].iloc[0]:
            seen = f" (differences{of}: {_range(told['effect'], declaration.measure)})"
        yield f"Within {margin} of {next(baseline)}: {named(rows, declaration)}{seen}"
    same = arms[arms["verdict"] == "IDENTICAL"]
    for n, rows in same.groupby("n", sort=False):
        bound = percent(rows["may_differ95"].iloc[0])  # which follows from n
        yield (
            f"Identical to {next(baseline)}, bit for bit on all {n} seeds (up to "
            f"{bound} of other seeds may differ): {named(rows, declaration)}"
        )


def _clauses(
    rows: pd.DataFrame, arms: pd.DataFrame, declaration: Declaration, baseline: Iterator[str]
) -> list[str]:
    """Returns a clause about the arms of one verdict for each reach.

    Sizes are those of fresh seeds where all arms of a clause have them. Where all arms of the
    study have one reach, its first sentence tells it.
    """
    groups = [_to_tell(rows[rows["reach"] == reach]) for reach in REACHES]
    first, *further = [group for group in groups if len(group)]
    metric, is_told = declaration.measure, reach_of_all(arms) == grade_of(arms)
    last = "or" if rows["verdict"].iloc[0] == "BETTER" else "and"
    unit = f" {metric.unit}".rstrip()
    way = "above" if first["sign"].iloc[0] > 0 else "below"
    said = f"{_levels(first, metric)}, {_sizes(first, metric)}{unit} {way} {next(baseline)}"
    beginnings = [f": {said}", *(f": {_sizes(group, metric)}{unit} {way}" for group in further)]
    return [
        f"{named(group, declaration, last)}{beginning}{_interval(group, declaration)}"
        f"{'' if is_told else REACHES[group['reach'].iloc[0]]}"
        for group, beginning in zip((first, *further), beginnings, strict=True)
    ]


def _to_tell(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns rows with the sizes to tell, the sign of the verdict's effect, and their seeds."""
    told = rows.assign(sign=np.sign(rows["effect"]), of="")
    if rows["fresh_effect"].isna().any() or not len(rows):
        return told
    names = {"mean": "mean", "effect": "effect", "verdict_low": "low", "verdict_high": "high"}
    fresh = {name: rows[f"fresh_{of}"] for name, of in names.items()}
    return told.assign(**fresh, of=f" on {rows['fresh_n'].iloc[0]:.0f} fresh seeds")


def _levels(rows: pd.DataFrame, metric: Metric) -> str:
    """Returns the arms' own values: ``73.3 %``, or ``70.1 to 73.3 %``."""
    return _range(rows["mean"], metric) + unit_of_levels(metric)


def _sizes(rows: pd.DataFrame, metric: Metric) -> str:
    return _range(rows["sign"] * rows["effect"], metric)


def _interval(rows: pd.DataFrame, declaration: Declaration) -> str:
    """Returns the least interval of sizes that holds those of all rows, in brackets."""
    ends = rows["sign"].iloc[0] * rows[["verdict_low", "verdict_high"]].to_numpy()
    if np.isnan(ends).any():
        return str(rows["of"].iloc[0])
    low, high = float(ends.min()), float(ends.max())
    told = between(low, high, declaration.measure, declaration.margin)
    word = "interval" if len(rows) == 1 else "intervals within"
    return f"{rows['of'].iloc[0]} ({word} {told})"


def _range(values: pd.Series[float], metric: Metric) -> str:
    ends = [amount(float(end), metric, unit=False) for end in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends))


def _open(arms: pd.DataFrame, declaration: Declaration, command: str) -> Iterator[str]:
    """Yields the undecided arms, and what would decide them."""
    rows = arms[arms["verdict"] == "INCONCLUSIVE"]
    if not len(rows):
        return
    steps = [_next(row) for row in rows.to_dict("records")]
    clauses = []
    for step in dict.fromkeys(steps):
        same = rows[[step == each for each in steps]]
        said = step or _seeds(same["seeds_likely"])
        clauses.append(f"{named(same, declaration)}{said}")
    yield f"Undecided: {'; '.join(clauses)}{_follow_up(arms, declaration, command)}"


def _weakened(arms: pd.DataFrame, declaration: Declaration) -> Iterator[str]:
    """Yields the arms that a table marks and why, if there are any."""
    records = arms.to_dict("records")
    if len(rows := arms[[has_odd_shape(row) for row in records]]):
        yield f"{MARK} The differences of {named(rows, declaration)} {ODD_SHAPE}"
    if len(rows := arms[[rests_on_one_seed(row) for row in records]]):
        verdicts, rest = ("verdict", "rests") if len(rows) == 1 else ("verdicts", "each rest")
        yield f"{MARK} The {verdicts} of {named(rows, declaration)} {rest} {ON_ONE_SEED}"


def _follow_up(arms: pd.DataFrame, declaration: Declaration, command: str) -> str:
    """Returns the command that runs the follow-up study, where there is one to run."""
    if not command or declaration.first_seed or declaration.table or propose(arms) is None:
        return ""
    return f" (ablation run {command} --follow-up)"


def _next(row: Mapping[Any, Any]) -> str:
    """Returns the next step for an undecided arm; an empty text if it is more seeds."""
    if row["stage"] == "open":
        return ", whose next look is to come"
    if row["needs_examples"]:
        return ", for which a larger test split would help and more seeds would not"
    if math.isinf(row["seeds_likely"]):
        few = f"for which {stats.MOST_SEEDS} fresh seeds are too few"
        return f", {few}: widen the margin or cut the noise"
    return f" ({row['reason']})" if math.isnan(row["seeds_likely"]) else ""


def _seeds(likely: pd.Series[float]) -> str:
    """Returns how many fresh seeds would decide one arm, or each of several.

    >>> _seeds(pd.Series([5.0, 31.0]))
    '; 5 to 31 fresh seeds would decide each with 80 % probability'
    """
    least, most = int(likely.min()), int(likely.max())
    count = SPELT[most] if most < len(SPELT) else str(most)
    told = count if least == most else f"{least} to {most}"
    seeds = "seed" if most == 1 else "seeds"
    which = "it" if len(likely) == 1 else "each"
    return f"; {told} fresh {seeds} would decide {which} with 80 % probability"
