"""The runs of a study as arrays, with the verdicts on any family of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablation import stats
from ablation.records.declaration import Declaration
from ablation.records.examples import CLOSE, unpack
from ablation.records.taken import Taken
from ablation.tracking import COMMONEST


@dataclasses.dataclass(frozen=True, slots=True)
class Examples:
    """Holds the runs' scores on each test example."""

    scores: NDArray[np.bool_] | NDArray[np.float64]
    """``[arm, seed, example]``, higher is better; 0 throughout where a run did not finish."""
    commonest: NDArray[np.bool_] | None
    """Scores of always naming the commonest class, ``[example]``; None if unknown."""


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of a study as arrays ``[arm, seed]``, the baseline first."""

    arms: Sequence[str]
    values: NDArray[np.float64]
    """Values of the metric on test, negated if lower is better; NaN if missing."""
    status: NDArray[np.int64]
    equal: NDArray[np.bool_]
    """Whether the run left the baseline's weights, or its predictions on test."""
    declaration: Declaration
    """Everything the study fixed."""
    examples: Examples | None = None
    """Scores by example; None where verdicts are about this test split alone."""
    taken: Taken = dataclasses.field(default_factory=dict)
    """Looks that were taken although runs were missing."""

    @property
    def floor(self) -> float | None:
        """Value assigned to a failed run; higher is better."""
        floor = self.declaration.floor
        return None if floor is None else self.declaration.measure.direction * floor

    @property
    def floors(self) -> Any:
        """Returns the score of a failed run on each example, or one for all."""
        given = self.declaration
        at_chance = self.examples is not None and given.floor == given.chance
        known = self.examples.commonest if self.examples is not None and at_chance else None
        return self.floor if known is None else known

    @property
    def margin(self) -> float | None:
        """The declared margin."""
        return self.declaration.margin

    @property
    def quantum(self) -> float:
        """Step between two possible values of the metric; 0 if it is continuous."""
        return self.declaration.quantum

    def failing(self, fallen: NDArray[np.bool_]) -> Evidence:
        """Returns the evidence with some runs, ``[arm, seed]``, made FAILED."""
        failed = np.int64(stats.Status.FAILED)
        return dataclasses.replace(self, status=np.where(fallen, failed, self.status))

    def on_this_split(self) -> Evidence:
        """Returns the evidence without scores by example: verdicts are about this split."""
        return dataclasses.replace(self, examples=None)

    def cut(self, arms: Sequence[int], seeds: int) -> dict[str, Any]:
        """Returns the engine's arguments for some arms on the first seeds.

        Args:
            arms: Indices of the arms, the baseline first.
            seeds: Number of blocks.
        """
        cut = np.ix_(list(arms), range(seeds))
        return {
            "values": self.values[cut],
            "status": self.status[cut],
            "floor": self.floors,
            "quantum": self.quantum,
            "scores": None if self.examples is None else self.examples.scores[cut],
        }

    def walk(self) -> stats.Walk:
        """Walks the declared looks, as far as the runs reach."""
        given = self.declaration
        chance = given.chance if given.collapse == "half" else None
        chance = None if chance is None else given.measure.direction * chance
        if not given.paired:
            of = self.cut(range(len(self.arms)), given.most_seeds)
            del of["scores"]  # not by example: these verdicts are about this split
            alpha = given.looks[0].alpha
            return stats.walk_unpaired(**of, margin=self.margin, alpha=alpha, chance=chance)
        return stats.walk_looks(
            **self.cut(range(len(self.arms)), given.most_seeds),
            looks=[look.seeds for look in given.looks],
            spend=[look.alpha for look in given.looks],
            margin=self.margin,
            identical=self.equal,
            chance=chance,
            absent=self._absent(),
        )

    def _absent(self) -> NDArray[np.bool_] | None:
        """Returns the runs that each look was taken without, ``[look, arm, seed]``."""
        if not self.taken:
            return None
        looks = [look.seeds for look in self.declaration.looks]
        absent = np.zeros((len(looks), *self.status.shape), np.bool_)
        for look, runs in self.taken.items():
            for arm, seed in runs:
                absent[looks.index(look), self.arms.index(arm), seed] = True
        return absent


def gather_evidence(
    runs: pd.DataFrame,
    hashes: pd.DataFrame,
    declaration: Declaration,
    examples: pd.DataFrame | None = None,
    taken: Taken | None = None,
) -> Evidence:
    """Returns the runs as arrays.

    Args:
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        declaration: Everything the study fixed.
        examples: An examples frame.
        taken: Looks that were taken although runs were missing.
    """
    baseline = declaration.baseline
    names = [arm.name for arm in declaration.arms]
    arms = [baseline, *(name for name in names if name != baseline)]
    seeds = range(declaration.most_seeds)
    of = on_test(runs, declaration.metric).set_index(["arm", "seed"])
    grid = pd.MultiIndex.from_product([arms, seeds], names=["arm", "seed"])
    shape = (len(arms), len(seeds))
    values = of["value"].reindex(grid).to_numpy(np.float64).reshape(shape)
    known = {"FINISHED": stats.Status.FINISHED, "FAILED": stats.Status.FAILED}
    codes = of["status"].map(known).astype(float)
    filled = codes.reindex(grid).fillna(int(stats.Status.MISSING))
    status = filled.to_numpy(np.int64).reshape(shape).astype(np.int64)
    left = hashes.set_index(["arm", "seed"]).reindex(grid)
    equal = np.zeros(shape, np.bool_)
    for name in ("weights", "logits"):
        digests = left[name].astype(object).fillna("").to_numpy().reshape(shape)
        equal |= (digests == digests[0]) & (digests != "")
    found = Evidence(
        arms,
        declaration.measure.direction * values,
        status,
        equal,
        declaration,
        taken=taken or {},
    )
    if examples is None or not declaration.can_generalise:
        return found
    return dataclasses.replace(found, examples=_examples(examples, found))


def _examples(frame: pd.DataFrame, evidence: Evidence) -> Examples | None:
    """Returns the scores by example, None where those of one finished run are not there.

    The whole family then goes by this split: verdicts of two scopes do not share an error rate.
    """
    given, (arms, seeds) = evidence.declaration, evidence.values.shape
    place = {arm: i for i, arm in enumerate(evidence.arms)}
    rows, commonest = {}, None
    for arm, seed, packed in frame[["arm", "seed", "correct"]].itertuples(index=False):
        row = _unpacked(packed, given)
        if not len(row):
            continue
        if seed == COMMONEST:
            is_known = given.chance is not None and abs(row.mean() - given.chance) < CLOSE
            commonest = row.astype(np.bool_) if is_known else None
        elif arm in place and 0 <= seed < seeds:
            rows[place[arm], seed] = row
    size = len(next(iter(rows.values()), ()))
    if size < 2 or any(len(row) != size for row in rows.values()):  # noqa: PLR2004 - for a spread
        return None
    whole = all(row.dtype == np.bool_ for row in rows.values())
    scores: Any = np.zeros((arms, seeds, size), np.bool_ if whole else np.float64)
    for at, row in rows.items():
        scores[at] = row
    finished = evidence.status == stats.Status.FINISHED
    known = np.where(finished, evidence.values, 0.0)
    apart = np.abs(scores.mean(axis=-1) - known) >= CLOSE * np.maximum(1.0, np.abs(known))
    failing = given.collapse == "half" or (evidence.status == stats.Status.FAILED).any()
    # Where the classes are known, a failed run is right on those of the commonest one; else
    # chance is the same number on every example.
    lacking = commonest is None and given.quantum > 0 and given.floor == given.chance and failing
    return None if (finished & apart).any() or lacking else Examples(scores, commonest)


def _unpacked(packed: bytes, given: Declaration) -> NDArray[np.bool_] | NDArray[np.float64]:
    """Returns the scores of one run, higher is better; none where the bytes are cut short."""
    if given.quantum == 0:
        row = unpack(packed)
    else:  # so many bits as the quantum says
        size = round(1 / given.quantum)
        kept = size if 8 * len(packed) >= size else 0
        row = np.unpackbits(np.frombuffer(packed, np.uint8), count=kept).astype(np.bool_)
    if row.dtype == np.bool_ and given.measure.direction > 0:
        return row.astype(np.bool_)
    return given.measure.direction * row.astype(np.float64)


def on_test(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns the rows of a runs frame with the test metric."""
    return runs[(runs["split"] == "test") & (runs["metric"] == metric)]
