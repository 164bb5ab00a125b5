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


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of a study as arrays ``[arm, seed]``, the baseline first."""

    arms: Sequence[str]
    values: NDArray[np.float64]
    """Values of the metric on test, negated if lower is better; NaN if missing."""
    status: NDArray[np.int64]
    equal: Sequence[NDArray[np.bool_]]
    """Two arrays: whether a run's weights equal the baseline's, and whether its test logits do."""
    declaration: Declaration
    """Everything the study fixed."""

    @property
    def floor(self) -> float | None:
        """Value assigned to a failed run; higher is better."""
        floor = self.declaration.floor
        return None if floor is None else self.declaration.measure.direction * floor

    @property
    def margin(self) -> float | None:
        """The declared margin."""
        return self.declaration.margin

    @property
    def quantum(self) -> float:
        """Step between two possible values of the metric; 0 if it is continuous."""
        return self.declaration.quantum

    def cut(self, arms: Sequence[int], seeds: int) -> tuple[Any, Any, Any]:
        """Returns values and status of a family, and which arms are identical on every seed."""
        cut = np.ix_(list(arms), range(seeds))
        identical = np.any([each[cut].all(axis=1) for each in self.equal], axis=0)
        return self.values[cut], self.status[cut], identical

    def walk(self) -> stats.Walk:
        """Walks the declared looks, as far as the runs reach."""
        looks = self.declaration.looks
        return stats.walk_looks(
            self.values,
            looks=[look.seeds for look in looks],
            spend=[look.alpha for look in looks],
            margin=self.margin,
            status=self.status,
            floor=self.floor,
            quantum=self.quantum,
            identical=np.any(self.equal, axis=0),
        )

    def asked(
        self, arms: Sequence[int], seeds: int, *, alpha: float, scale: float = 1.0,
        identity: bool = True,
    ) -> dict[str, Any]:  # fmt: skip
        """Returns the arguments of :func:`ablation.stats.verdicts` for a family.

        Args:
            arms: Indices of the arms, the baseline first.
            seeds: Number of blocks.
            alpha: Error rate of each family of comparisons.
            scale: Factor applied to the margin.
            identity: Whether equal hashes count as identity.
        """
        values, status, identical = self.cut(arms, seeds)
        finished = (status == stats.Status.FINISHED).all(axis=1)
        return {
            "values": values,
            "margin": None if self.margin is None else scale * self.margin,
            "status": status,
            "floor": self.floor,
            "quantum": self.quantum,
            "identical": identical & finished & identity,
            "alpha": alpha,
        }

    def verdicts(
        self, arms: Sequence[int], seeds: int, *, alpha: float, scale: float = 1.0,
        identity: bool = True,
    ) -> stats.Verdicts:  # fmt: skip
        """Returns the verdicts of a family; see :meth:`asked` for the arguments."""
        return stats.verdicts(
            **self.asked(arms, seeds, alpha=alpha, scale=scale, identity=identity)
        )


def gather_evidence(
    runs: pd.DataFrame, hashes: pd.DataFrame, declaration: Declaration
) -> Evidence:
    """Returns the runs as arrays.

    Args:
        runs: A runs frame.
        hashes: One row per run: arm, seed, weights, logits.
        declaration: Everything the study fixed.
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
    equal = []
    for name in ("weights", "logits"):
        digests = left[name].astype(object).fillna("").to_numpy().reshape(shape)
        equal.append((digests == digests[0]) & (digests != ""))
    return Evidence(arms, declaration.measure.direction * values, status, equal, declaration)


def on_test(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns the rows of a runs frame with the test metric."""
    return runs[(runs["split"] == "test") & (runs["metric"] == metric)]
