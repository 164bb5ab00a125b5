"""Computes, before a study runs, the verdicts that its seeds are likely to give."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablation import stats
from ablation.analysis.checks import Facts, findings
from ablation.analysis.contrasts import FAMILIES, families_of
from ablation.analysis.words import amount
from ablation.records.declaration import Declaration
from ablation.records.metric import METRICS, percent
from ablation.study.plan import Plan
from ablation.study.spec import Study

TYPICAL_NOISE = 0.01
"""Standard deviation of one run over seeds, assumed until it is measured: one point."""

TYPICAL_DEVIATION = 0.1
"""Standard deviation over test examples of a mean difference in accuracy that is assumed: the
median over the arms of the studies that ship (.00 to .18, and .47 where an arm never learns)."""

FEWEST_RUNS = 3
"""Runs of the baseline from which the noise is measured: a spread from two is no spread."""

REPETITIONS, FEWEST_REPETITIONS = 400, 100
"""Number of simulated studies; the standard error of a rate is at most 0.025, and 0.05 for the
fewest, which studies of many arms have."""
SIMULATED = 40_000
"""Simulated comparisons, about: those of 3,000 arms and 400 studies would take minutes."""


def planning(
    study: Study,
    baseline: Sequence[float],
    examples: int | None = None,
    deviation: float | None = None,
) -> str:
    """Returns the planning row of a study as a paragraph.

    Args:
        study: The study.
        baseline: Test metrics of the baseline's runs so far; their spread is the assumed noise.
        examples: Size of the test split where verdicts are about new examples, else None.
        deviation: Standard deviation over test examples of a difference, as earlier runs on
            these data showed it; None where there are none.
    """
    if study.most_seeds < 3:  # noqa: PLR2004 - the engine judges nothing below
        return "No verdict is given on fewer than 3 seeds."
    if study.margin is None:
        return "No margin is declared, so no arm can come out EQUIVALENT but by identity."
    metric, few = study.measure, len(baseline) < FEWEST_RUNS
    if few and metric not in METRICS.values() and metric.unit != "points":
        return (
            f"The noise of {metric.title} is unknown: plan again after three runs of the baseline."
        )
    comparisons = _comparisons(study)
    looks, spend = zip(*study.schedule, strict=True)
    noise, basis = _noise(baseline)
    row = stats.planning_row(
        looks,
        spend=spend,
        margin=study.margin,
        noise=stats.difference_noise(max(noise, 1e-9)),
        comparisons=comparisons,
        examples=examples,
        deviation=TYPICAL_DEVIATION if deviation is None else deviation,
        effects=(study.margin, 2 * study.margin),
        repetitions=max(FEWEST_REPETITIONS, min(REPETITIONS, SIMULATED // max(1, comparisons))),
    )
    return (
        f"With a margin of {amount(study.margin, metric)} and a noise of {amount(noise, metric)} "
        f"a run ({basis}), by {looks[-1]} seeds: EQUIVALENT with {percent(row.equivalent)} where "
        f"nothing differs; BETTER with {percent(row.better[0])} for an effect of the margin and "
        f"{percent(row.better[1])} for twice that."
        f"{'' if examples is None else _split(study, examples, deviation)}"
    )


def factor_rows(study: Study, declaration: Declaration, baseline: Sequence[float]) -> list[str]:
    """Returns what a study of several factors asks, its aliases and its power; else nothing.

    Args:
        study: The study.
        declaration: Its declaration.
        baseline: As in :func:`planning`.
    """
    noise, _ = _noise(baseline)
    said = []
    for family in families_of(declaration):
        names = [row["name"] for row in family.rows]
        line = f"{len(names)} {FAMILIES[family.name]}{'s' if len(names) > 1 else ''}"
        if family.name not in {"main", "interaction"}:
            line = f"{len(names)} components {FAMILIES[family.name]}"
        if study.margin is not None and study.schedule[0].seeds > 1:
            row = family.weights[0]
            power = stats.power_better(
                study.most_seeds,
                effect=study.margin,
                noise=max(noise, 1e-9) * math.sqrt(float((row**2).sum())),
                comparisons=len(names),
            )
            found = percent(float(power))
            line += f": one of the margin is found with {found} on {study.most_seeds} seeds"
        said.append(f"{line}.")
        said += [
            f"Aliased: {row['name']} = {row['also'].replace('; ', ' = ')}."
            for row in family.rows
            if row["also"]
        ]
    return said


def checks_of(plan: Plan, baseline: Sequence[float]) -> list[str]:
    """Returns what the checks of a study find before it runs.

    Args:
        plan: The plan.
        baseline: As in :func:`planning`.
    """
    arms, made = plan.study.complete_arms, plan.study.task.made
    pairs = [(arm.config, plan.data_by_arm[arm.name]) for arm in arms]
    names = [arm.name for arm in arms]
    models = {} if made is None else dict(zip(names, made(pairs), strict=True))
    facts = Facts(
        declaration=plan.declaration,
        noise=_noise(baseline)[0],
        sizes={name: model.parameters for name, model in models.items()},
        first_steps={
            arm.name: models[arm.name].first_step
            for arm in arms
            if arm.name in models and arm.seed_offset is None
        },
    )
    return findings(facts)


def _comparisons(study: Study) -> int:
    """Returns the number of arms beside the baseline; before a search, of those it will give."""
    is_ahead = bool(study.search) and not study.tuned
    return study.best if is_ahead else len(study.complete_arms) - 1


def _noise(baseline: Sequence[float]) -> tuple[float, str]:
    """Returns the standard deviation of one run over seeds, and what it is based on."""
    if len(baseline) < FEWEST_RUNS:
        return TYPICAL_NOISE, "assumed; measured from three runs of the baseline on"
    mean = sum(baseline) / len(baseline)
    noise = math.sqrt(sum((v - mean) ** 2 for v in baseline) / (len(baseline) - 1))
    return noise, f"from {len(baseline)} runs of the baseline"


def _split(study: Study, examples: int, deviation: float | None) -> str:
    """Returns what the size of the test split allows, whatever the number of seeds."""
    basis = "assumed" if deviation is None else "from earlier runs"
    spread = TYPICAL_DEVIATION if deviation is None else deviation
    comparisons = _comparisons(study)
    least = stats.least_effect(examples=examples, deviation=spread, comparisons=comparisons)
    metric, margin = study.measure, study.margin or math.inf
    said = (
        f" With {examples} test examples (spread over them {amount(spread, metric)}, {basis}) "
        f"no number of seeds shows less than {amount(least, metric)}"
    )
    if least <= margin:
        return f"{said}."
    # The least effect falls with the root of the size.
    enough = _rounded_up(examples * (least / margin) ** 2)
    return f"{said}: for an effect of the margin take a test split of {enough:,} or more."


def _rounded_up(size: float) -> int:
    """Returns a size to two digits.

    >>> _rounded_up(1234.5)
    1300
    """
    step: int = 10 ** max(0, math.floor(math.log10(size)) - 1)
    return math.ceil(size / step) * step
