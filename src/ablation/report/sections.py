"""The sections of a report, in reading order; HTML and Markdown are made from these alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ablation.analysis import Findings, answer, exactly, sentences
from ablation.report import drawing, tables
from ablation.report.blocks import Block, Bullets, Command, Figure, Page, Section, Text
from ablation.report.content import Content
from ablation.report.numbers import Scale, minus

SCREENING = 5
"""Seeds below which a study is a screening."""

MOST_SENTENCES = 40
"""Arms up to which each is put in words; the table says the same."""


def page(content: Content, findings: Findings) -> Page:
    """Returns the report of a study."""
    declaration = content.declaration
    return Page(
        title=content.wording.get("title") or content.label,
        question=content.wording["question"],
        answer=answer(findings.effects, declaration),
        facts=_facts(content),
        warnings=_warnings(content, findings),
        sections=[
            Section(heading, blocks)
            for heading, make in PARTS.items()
            if (blocks := list(make(content, findings)))
        ],
    )


def _facts(content: Content) -> list[tuple[str, str]]:
    declaration, scale = content.declaration, Scale.of(content.declaration)
    effects, planned = content.judged.effects, sum(content.judged.seeds.values())
    margin = declaration.margin
    seeds = sorted(set(effects["n"]))
    done = content.runs["run_id"].nunique()
    return [
        ("baseline", declaration.baseline),
        ("metric", f"{scale.metric.title} on test"),
        ("margin", "none" if margin is None else exactly(margin, scale.metric)),
        ("seeds per arm", " to ".join(dict.fromkeys((str(seeds[0]), str(seeds[-1]))))),
        ("runs", f"{done} of {planned}" if done < planned else str(done)),
    ]


def _warnings(content: Content, findings: Findings) -> list[str]:
    """Returns what stands above the answer: what weakens it."""
    found, base = [], findings.effects.iloc[0]
    if base["failed"]:
        found.append(
            f"The baseline itself failed on {base['failed']} of {base['n']} seeds: every "
            "comparison rests on that."
        )
    if base["look"] < SCREENING or base["n"] < SCREENING:
        plural = "" if base["n"] == 1 else "s"
        found.append(f"With {base['n']} seed{plural} per arm this is a screening.")
    seen = content.declared[content.current]["runs_seen"]
    if seen:
        found.append(f"This declaration was made when {seen} runs had been seen.")
    if content.declaration.margin is None:
        found.append("No margin is declared, so no arm can be equivalent but by identity.")
    mixed = [name for name, values in content.provenance.items() if len(values) > 1]
    if mixed:
        found.append(f"The runs are mixed: more than one {', '.join(mixed)} (see Provenance).")
    return found


def _verdicts(content: Content, findings: Findings) -> Iterator[Block]:
    scale = Scale.of(content.declaration)
    rows = len(drawing.shown(findings.effects)) - 1
    rest = len(findings.effects) - 1 - rows
    note = f" The {rows} largest effects; {rest} more arms are in the table." if rest else ""
    yield Figure(
        "differences",
        "Difference of each arm to the baseline, with intervals and verdict",
        "Each arm less the baseline on the same seeds: dots are seeds, the thick line is the "
        "pointwise 95 % interval, the thin one agrees with Holm's test." + note,
    )
    yield tables.verdict_table(findings.effects, scale)


def _words(content: Content, findings: Findings) -> Iterator[Block]:
    said = sentences(findings.effects, content.declaration)
    if len(said) <= MOST_SENTENCES:
        yield Bullets(said)


def _method(content: Content, findings: Findings) -> Iterator[Block]:
    declaration = content.declaration
    looks = declaration.looks
    alphas = ", ".join(dict.fromkeys(f"{alpha:g}" for alpha in content.judged.effects["alpha"]))
    lines = [
        "Every arm is trained with the same seeds; a difference compares two runs that share one. "
        "BETTER and WORSE come from two-sided paired t tests, EQUIVALENT from two one-sided tests "
        "against the margin; each family is corrected by Holm over the arms. Anything else is "
        "INCONCLUSIVE, which is not equality.",
        "The epoch is chosen on validation; test is evaluated once per run.",
    ]
    if len(looks) > 1:
        seeds = ", ".join(str(look.seeds) for look in looks)
        spent = ", ".join(repr(look.alpha) for look in looks)
        lines.append(
            f"Looks at {seeds} seeds spend {spent} of the error rate; a verdict is final, and "
            "only undecided arms get more seeds. Each row states the seeds it rests on."
        )
    if declaration.floor is not None:
        lines.append(f"A failed run counts as {_short(declaration.floor)}.")
    if declaration.collapse is not None:
        lines.append(
            f"A run within {_short(declaration.collapse)} of chance "
            f"({_short(declaration.chance)}) counts as failed."
        )
    lines.append(
        "An interval that agrees with Holm leaves out 0 exactly where Holm's test says differs, "
        f"at alpha = {alphas}; jointly these intervals cover less than that."
    )
    for line in lines:
        yield Text(line)


def _response(content: Content, findings: Findings) -> Iterator[Block]:
    if findings.response.empty:
        return
    scale = Scale.of(content.declaration)
    yield Figure(
        "response",
        f"{scale.metric.name} over the levels of {content.declaration.factor}",
        "The baseline's mean plus each level's effect, with the effect's pointwise 95 % interval; "
        "below, the share of failed runs with Clopper and Pearson's two-sided one.",
    )
    for row in findings.trend.to_dict("records"):
        per = "tenfold of the level" if row["log"] else "unit of the level"
        slope = scale.difference(row["slope"]).text
        ends = scale.interval(row["low"], row["high"]).text or "no interval"
        left_out = row["log"] and (findings.response["level"] == 0).any()
        zero = " (a level of 0 has no place on the log scale and is left out)" if left_out else ""
        p = "" if math.isnan(row["p"]) else f", p {row['p']:.2g}"
        yield Text(
            f"Trend over {row['levels']} levels{zero}: {slope} {scale.unit} per {per} "
            f"(95 % {ends}{p}, {row['n']} seeds). A straight line is all that it can see."
        )
    yield tables.response_table(findings.response, scale)


def _looks(content: Content, findings: Findings) -> Iterator[Block]:
    if len(findings.looks):
        yield Figure("decisions", "Adjusted interval and verdict of each arm at each look",
                     "From top to bottom the looks of each arm: intervals that agree with Holm at "
                     "what the look spends.")  # fmt: skip
        yield tables.looks_table(findings.looks, Scale.of(content.declaration))


def _seeds(content: Content, findings: Findings) -> Iterator[Block]:
    yield Figure("seeds", "Each seed as a line across the arms",
                 "One line per seed. Where the lines run in parallel, a seed is good or bad for "
                 "all arms alike, and comparing inside it removes that.")  # fmt: skip
    gains = findings.effects["rho"].iloc[1:].dropna()
    if len(gains):
        low, middle, high = (
            minus(f"{gain:.2f}") for gain in (gains.min(), gains.median(), gains.max())
        )
        yield Text(
            "Pairing gain, the share of a difference's variance that sharing seeds removes: "
            f"{low} to {high} over the arms, median {middle}. Below 0 it costs."
        )


def _curves(content: Content, findings: Findings) -> Iterator[Block]:
    if drawing.panels(findings, content.declaration.metric):
        yield Figure(
            "curves",
            "Loss on train and metric on validation over the epochs",
            f"Mean of the finished runs and pointwise 95 % t band, {_n(findings)}; dotted lines "
            "are failed runs, to their last finite value." + _grey(findings),
        )


def _probes(content: Content, findings: Findings) -> Iterator[Block]:
    of = findings.bands[findings.bands["split"] == "probe"]
    if of.empty:
        return
    if drawing.probe_panels(findings, moving=False):
        yield Figure("probes", "What the attention does over the epochs",
                     f"Mean and pointwise 95 % t band, {_n(findings)}; epoch 0 is the model as it "
                     "was initialised." + _grey(findings))  # fmt: skip
    if drawing.probe_panels(findings, moving=True):
        yield Figure("movement", "How far the attention's tensors move, and their gradients",
                     "How far each tensor has moved, as a share of the length that it started "
                     "with, and how long its gradient was at the last step.")  # fmt: skip
    epochs = sorted({int(of["epoch"].min()), int(of["epoch"].max())})
    yield tables.curve_table(of, "probe", epochs)


def _failures(content: Content, findings: Findings) -> Iterator[Block]:
    if not (findings.scores["status"] == "FAILED").any():
        bound = findings.effects["failed_upper95"].max()
        yield Text(f"No run failed; that still allows a failure rate of up to {bound:.0%} (95 %).")
        return
    floor = content.declaration.floor
    yield tables.failure_table(findings.effects, findings.scores)
    yield Text(
        "No floor is declared, so an arm with a failed run has no verdict but by identity."
        if floor is None
        else f"A failed run is an outcome of its arm and counts as {_short(floor)}."
    )


def _variance(content: Content, findings: Findings) -> Iterator[Block]:
    if len(findings.variance):
        scale = Scale.of(content.declaration)
        moved = dict(zip(findings.variance["source"], findings.variance["deviation"], strict=True))
        unit = f" {scale.unit}" if scale.unit else ""
        yield Text(
            f"Choosing the seed moves {scale.metric.title} by "
            f"{scale.value(moved['seed']).text}{unit}, choosing the arm by "
            f"{scale.value(moved['arm']).text}{unit} (standard deviations, "
            f"{findings.variance['n'].iloc[0]} seeds that all arms share)."
        )
        yield Figure("variance", "Standard deviation over arms and over seeds")


def _interactions(content: Content, findings: Findings) -> Iterator[Block]:
    if len(findings.interactions):
        yield Figure("interactions", "What two factors do together beyond each alone",
                     "The difference of differences; white is inside the margin.")  # fmt: skip
        yield tables.interaction_table(findings.interactions, Scale.of(content.declaration))


def _numerics(content: Content, findings: Findings) -> Iterator[Block]:
    if content.numerics is not None and len(content.numerics):
        yield tables.frame_table(content.numerics)


def _sensitivity(content: Content, findings: Findings) -> Iterator[Block]:
    if len(findings.sensitivity):
        yield Text(
            "What the rule would say under other choices; none of it decides. Pooled spread: the "
            "larger of the arm's own spread and that of the family, below eight seeds."
        )
        yield tables.sensitivity_table(findings.sensitivity)
    if len(findings.generalisation):
        yield Text(
            "The difference when the test examples, too, are taken as a sample; an arm with "
            "failed runs has none:"
        )
        scale = Scale.of(content.declaration)
        yield tables.generalisation_table(findings.generalisation, scale)


def _caveats(content: Content, findings: Findings) -> Iterator[Block]:
    yield Bullets(
        [
            *content.wording.get("caveats", ()),
            "The verdicts hold for the data and the fixed hyperparameters below; nothing was "
            "tuned for any arm.",
        ]
    )
    yield tables.fixed_table(content.declaration)


def _runs(content: Content, findings: Findings) -> Iterator[Block]:
    local = content.record["address"].startswith("http://127.0.0.1")
    link = " Each links to its run in MLflow" + (" while `make ui` runs." if local else ".")
    linked = len(findings.scores) <= tables.LINKED
    yield Text("The metric on test of every run, by arm and seed." + (link if linked else ""))
    yield tables.run_table(content, findings.scores, Scale.of(content.declaration))


def _provenance(content: Content, findings: Findings) -> Iterator[Block]:
    lines = []
    for hash_, first in content.declared.items():
        seen = first["runs_seen"]
        when = f"when {seen} runs had been seen" if seen else "before any run"
        ours = " (this report's)" if hash_ == content.current else ""
        lines.append(f"Declaration {hash_}{ours}: made {first['date']}, {when}.")
    lines += [
        f"{name}: {', '.join(values)}{' (mixed)' if len(values) > 1 else ''}"
        for name, values in content.provenance.items()
    ]
    lines.append(f"data: {content.declaration.data}")
    ended = content.details["ended"]
    if len(ended):
        lines.append(f"last run ended: {ended.max()}")
    lines.append(
        "evaluations of this test split, all studies, up to then: "
        f"{content.record['test_evaluations']}"
    )
    yield Bullets(lines)
    yield Text("This page is rebuilt from the files beside it alone by, in this folder,")
    yield Command("ablation rebuild .")
    yield Text("and from MLflow's record by, where that is kept in the working folder,")
    yield Command(f"ablation report {content.label}")


PARTS: dict[str, Callable[[Content, Findings], Iterator[Block]]] = {
    "": _verdicts,
    "In words": _words,
    "How it was computed": _method,
    "Response": _response,
    "Looks": _looks,
    "Seeds across arms": _seeds,
    "Learning curves": _curves,
    "Probes": _probes,
    "Failures": _failures,
    "Arm or seed": _variance,
    "Interactions": _interactions,
    "Numerics": _numerics,
    "Sensitivity": _sensitivity,
    "Caveats": _caveats,
    "Runs": _runs,
    "Provenance": _provenance,
}
"""Heading to what makes the section; one that makes nothing is left out."""


def _n(findings: Findings) -> str:
    n = findings.bands["n"]
    return f"n = {n.min()}" if n.min() == n.max() else f"n = {n.min()} to {n.max()}"


def _grey(findings: Findings) -> str:
    few = len(findings.effects) <= drawing.COLOURED
    return "" if few else " Grey lines are the arms with smaller effects."


def _short(number: float) -> str:
    return f"{number:.4g}"
