"""Asks workers what they lack for a plan's trials, and whether they can import what these run."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.execute.ahead import job_of
from ablation.execute.cluster.packing import Packing
from ablation.execute.cluster.parcels import Manifest
from ablation.execute.cluster.scheduler import SILENT, Known, answers_of, ask
from ablation.execute.cluster.station import Errand, carry_out

if TYPE_CHECKING:
    from ablation.execute.worker import Job
    from ablation.study.plan import Plan


def fits(known: Mapping[str, Known]) -> list[str]:
    """Returns the addresses of the workers that may train."""
    return [address for address, worker in known.items() if not worker.refused]


def lacks_of(client: Any, plan: Plan, known: Mapping[str, Known]) -> str:
    """Returns what workers lack of the files of a plan, in words.

    Args:
        client: Dask's client.
        plan: The plan.
        known: The workers, of which one at least may train.
    """
    packing, lacks, size, fit = Packing(plan.study.task), set[str](), 0, fits(known)
    manifests = {each.manifest.hashes: each.manifest for each in _errands(plan, packing)}
    for manifest in manifests.values():
        answers = client.run(ask, manifest, workers=fit, on_error="ignore")
        lacks |= {address for address, missing in answers.items() if missing}
        size = max([size, *(packing.size(missing) for missing in answers.values())])
    if not lacks:
        return "every worker has all that the study reads."
    return (
        f"{len(lacks)} of {len(fit)} workers lack up to {size / 1e6:.1f} MB of "
        "what the study reads; each gets it once, at the start."
    )


def tried(client: Any, plan: Plan, known: Mapping[str, Known]) -> dict[str, Known]:
    """Returns the workers after those that may train have read and imported what a plan runs.

    Sources and inputs are sent to them as for a trial, prepared data are not.

    Args:
        client: Dask's client.
        plan: The plan.
        known: Address to worker.
    """
    if not (fit := fits(known)):
        return dict(known)
    packing = Packing(plan.study.task)
    errands = [
        dataclasses.replace(each, fn=_nothing, manifest=Manifest(beside=each.manifest.beside))
        for each in _errands(plan, packing)
    ]
    wanted = Manifest(beside={of: of for each in errands for of in each.manifest.hashes})
    lacking = answers_of(client, ask, wanted, workers=fit).values()
    missing = frozenset[str]().union(*(each for each in lacking if isinstance(each, frozenset)))
    errands[0] = dataclasses.replace(errands[0], contents=packing.contents(missing))
    answers = answers_of(client, rehearse, errands, workers=fit)
    return {
        address: dataclasses.replace(worker, refused=worker.refused or _said(answers, address))
        for address, worker in known.items()
    }


async def rehearse(errands: Sequence[Errand]) -> str:
    """Returns why a worker would refuse one of some trials, or an empty string; called in it."""
    return await asyncio.to_thread(_first_refusal, errands)


def _first_refusal(errands: Iterable[Errand]) -> str:
    answers = map(carry_out, errands)
    return next((str(each.value) for each in answers if each.kind != "value"), "")


def _errands(plan: Plan, packing: Packing) -> list[Errand]:
    """Returns one trial of each arm as it would be sent."""
    trials = {trial.arm.name: trial for trial in plan.trials}.values()
    jobs = [job_of(plan, trial, Path("progress/doctor"), "auto") for trial in trials]
    return [
        packing.pack(_nothing, (dataclasses.replace(job, progress=None, folder=None),), None)
        for job in jobs
    ]


def _nothing(_: Job) -> None:
    """Is called in the place of a training, once its sources were read and imported."""


def _said(answers: Mapping[str, Any], address: str) -> str:
    answer = answers.get(address, "")
    if isinstance(answer, TimeoutError):
        return SILENT
    return answer if isinstance(answer, str) else f"it fails: {answer}"
