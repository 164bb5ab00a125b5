"""Critical values of a mean: Student's t over seeds, or Cochran's over seeds and examples."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ablation.stats import special
from ablation.stats.arrays import Floats

MIXED_FROM: Final = 5
"""Seeds from which the examples enter the critical value; below it is t(n - 1) alone."""
_STEPS: Final = 60
_CLOSE: Final = 1e-13
_LEAST_LEVEL: Final = 1e-200


def t_quantile(tail: ArrayLike, df: ArrayLike) -> Floats:
    """Returns the point of Student's t that is exceeded with probability `tail`."""
    # The lower tail, mirrored: 1 - tail would lose the digits of a small tail.
    df, tail = np.asarray(df, dtype=np.float64), np.asarray(tail, dtype=np.float64)
    return np.asarray(-special.stdtrit(df, tail), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Critical:
    r"""Critical distances of a mean from its hypothesis, in standard errors.

    .. math:: c(a) = w\,t_{1-a,\,n-1} + (1-w)\,t_{1-a,\,N-1}

    at one-sided level a, with w the share of the seeds in the variance (Cochran, "Approximate
    significance levels of the Behrens-Fisher test", 1964). With w = 1 it is Student's t.

    Satterthwaite's degrees of freedom are not used: far out in the tail, where a family's share
    of alpha is, they reject 1.2 to 8.8 times as often as they say at 5 seeds.
    """

    df: Floats
    """Degrees of freedom of the seeds, n - 1."""
    weight: Floats
    """Share of the seeds in the critical value, w; 1 where the examples are fixed."""
    example_df: Floats
    """Degrees of freedom of the examples, N - 1."""

    def quantile(self, tail: ArrayLike) -> Floats:
        """Returns the critical value at a one-sided level."""
        seeds = t_quantile(tail, self.df)
        if not self._is_mixed():
            return seeds
        examples = t_quantile(tail, self.example_df)
        return self.mix(seeds, examples)

    def exceeded(self, t: ArrayLike) -> Floats:
        """Returns the one-sided p value of a statistic: the level whose critical value it is."""
        p = np.asarray(special.stdtr(self.df, -np.asarray(t)), dtype=np.float64)
        if not self._is_mixed():
            return p
        columns = np.broadcast_arrays(t, self.df, self.weight, self.example_df)
        mixed = (columns[2] < 1) & np.isfinite(columns[0])
        statistic, *law = (column[mixed] for column in columns)
        p = np.array(np.broadcast_to(p, mixed.shape))
        upper = Critical(*law)._level(np.abs(statistic))
        p[mixed] = np.where(statistic < 0, 1 - upper, upper)
        return p

    def mix(self, seeds: Floats, examples: Floats) -> Floats:
        """Returns the critical value from the quantiles of either."""
        return np.asarray(np.where(self.weight < 1, self._mix(seeds, examples), seeds))

    def _is_mixed(self) -> bool:
        return bool((self.weight < 1).any())

    def _mix(self, seeds: Floats, examples: Floats) -> Floats:
        return np.asarray(self.weight * seeds + (1 - self.weight) * examples)

    def _level(self, t: Floats) -> Floats:
        """Solves c(a) = t for t >= 0, by Newton steps in log a between the two pure levels."""
        ends = np.stack([special.stdtr(self.df, -t), special.stdtr(self.example_df, -t)])
        low, high = np.log(np.maximum(np.sort(ends, axis=0), _LEAST_LEVEL))
        log, found, law, at = high, np.array(high), self, np.arange(len(t))
        for _ in range(_STEPS):
            level = np.exp(log)
            seeds, examples = t_quantile(level, law.df), t_quantile(level, law.example_df)
            gap = law._mix(seeds, examples) - t
            low, high = np.where(gap > 0, log, low), np.where(gap > 0, high, log)
            # The quantile falls by level / density per unit of log a.
            slope = law._mix(
                level / _density(seeds, law.df), level / _density(examples, law.example_df)
            )
            step = log + gap / slope
            step = np.where((step >= low) & (step <= high), step, (low + high) / 2)
            found[at], moves = step, step != log
            if (np.abs(step - log) <= _CLOSE * np.abs(step)).all():
                break
            # What stands still stays so, and need not be computed again.
            log, low, high, t, at = (each[moves] for each in (step, low, high, t, at))
            law = Critical(law.df[moves], law.weight[moves], law.example_df[moves])
        return np.asarray(np.exp(found))


def _density(x: Floats, df: Floats) -> Floats:
    """Returns Student's density."""
    log = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - np.log(df * np.pi) / 2
    density = np.exp(log - (df + 1) / 2 * np.log1p(x**2 / df))
    return np.asarray(np.maximum(density, _LEAST_LEVEL))


def difference_p(effect: Floats, error: Floats, critical: Critical) -> Floats:
    """Returns the two-sided p value of a mean; NaN where its error is."""
    p = 2 * critical.exceeded(np.abs(effect) / error)
    return np.asarray(np.where(np.isnan(error), np.nan, p))


def equivalence_p(effect: Floats, error: Floats, critical: Critical, margin: float) -> Floats:
    """Returns the larger of the two one-sided p values against the margin (Schuirmann 1987)."""
    p = critical.exceeded((margin - np.abs(effect)) / error)
    return np.asarray(np.where(np.isnan(error), np.nan, p))
