"""Takes looks although runs are missing: those that were given up keep no other arm waiting."""

from __future__ import annotations

import dataclasses

import numpy as np

from ablation import stats
from ablation.analysis.evidence import Evidence
from ablation.records.taken import Absent

UNTESTED = (stats.Ground.INCOMPLETE, stats.Ground.TOO_FEW)
"""Grounds of an arm that a look did not test."""


def take_looks(evidence: Evidence, given_up: Absent) -> Evidence:
    """Returns the evidence with every look taken that lacks no run but given-up ones.

    A look at which no arm can be tested is not taken: it would spend its share of alpha for
    nothing, as where a mistake in the user's code ends every run.

    Args:
        evidence: The runs, and the looks taken so far.
        given_up: Arm and seed of trials that ended without an outcome and are not repeated.
    """
    while True:
        look, lacking = next_look(evidence)
        if not lacking or not lacking <= given_up:
            return evidence
        then = dataclasses.replace(evidence, taken={**evidence.taken, look: lacking})
        if not _tests(then):
            return evidence
        evidence = then


def next_look(evidence: Evidence) -> tuple[int, Absent]:
    """Returns the look, in seeds, that the runs have not reached, and the runs it lacks.

    None are lacking where no look is left, or every arm is decided.
    """
    walk, looks = evidence.walk(), evidence.declaration.looks
    reached = int(walk.reached)
    if reached == len(looks):
        return 0, frozenset()
    seeds = looks[reached].seeds
    missing = evidence.status[:, :seeds] == stats.Status.MISSING
    arms, places = np.nonzero(missing & (walk.seeds == seeds)[:, None])
    pairs = zip(arms.tolist(), places.tolist(), strict=True)
    return seeds, frozenset((evidence.arms[arm], seed) for arm, seed in pairs)


def _tests(evidence: Evidence) -> bool:
    """Returns whether the last look tests an arm."""
    last = evidence.walk().looks[-1]
    judged = last.judged[1:] & ~np.isin(last.verdicts.ground[1:], UNTESTED)
    return bool(judged.any())
