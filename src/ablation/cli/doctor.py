"""The command ``doctor``: asks every worker of a scheduler what it is, before a long study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablation.cli.options import Data, Label, Text
from ablation.cli.output import escaped, show
from ablation.errors import Refused, public

if TYPE_CHECKING:
    from ablation.execute.cluster.engine import Known
    from ablation.study.plan import Plan

At = Annotated[
    str, typer.Option("--workers-at", help="Address of a Dask scheduler: tcp://host:8786.")
]
Wanted = Annotated[
    str, typer.Argument(metavar="[STUDY]", help="A study: also says what the workers lack of it.")
]
GB = 2**30
SETTING = "distributed.nanny.pre-spawn-environ"


def doctor(
    name: Wanted = "", *, workers_at: At, data: Data = None, text: Text = None,
    label: Label = None,
) -> None:  # fmt: skip
    """Asks every worker for versions, threads, memory and device, and says what is refused."""
    from ablation.cli.sets import plans_of
    from ablation.execute.cluster.engine import ask_workers, connect
    from ablation.execute.cluster.fitness import TORCH, expected
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    study = load(name, STUDIES) if name else None
    libraries = tuple(study.task.libraries) if study else (TORCH,)
    memory = study.memory * GB if study and study.memory else None
    client = connect(workers_at)
    try:
        redirection = Redirection(data=data, text=text, label=label)
        plans = plans_of(study, redirection) if study else ()
        there = client.scheduler_info()["workers"]
        known = ask_workers(client, libraries, expected(libraries, memory), there)
        for address, worker in known.items():
            for line in told(worker, there[address]):
                show(escaped(line))
        for plan in plans:
            show(escaped(_lacks(client, plan, known)))
    finally:
        client.close(timeout=2)
    _judge(known, public(workers_at))


def told(worker: Known, there: Mapping[str, Any]) -> list[str]:
    """Returns the lines about a worker.

    Args:
        worker: The worker.
        there: What the scheduler knows of it.
    """
    lines = [f"{worker.name}: {'refused' if worker.refused else 'fits'}"]
    if (found := worker.facts) is not None:
        limit = float(there.get("memory_limit") or 0) / GB
        gpus = f"GPU {', '.join(found.gpus)}" if found.gpus else "no GPU"
        lines += [
            f"  Python {found.python}, attention-ablation {found.package}, "
            f"torch {found.torch or 'not installed'}",
            f"  {found.processor}, {found.cores} cores, {found.memory / GB:.0f} GB of memory"
            + (f" (of which the worker may take {limit:.0f})" if limit else "")
            + f", {gpus}; {worker.threads} threads",
            f"  keeps data in {found.cache}, {found.free / GB:.0f} GB free",
        ]
        if worker.threads > max(1, len(found.gpus)) and found.gpus:
            lines.append("  Its threads share a GPU: start a worker per GPU, --nthreads 1.")
        elif worker.threads > found.cores:
            lines.append("  It has more threads than cores: trials slow each other down.")
        if found.trim is not None:
            lines.append(
                f"  Dask's nanny sets MALLOC_TRIM_THRESHOLD_={found.trim}, with which training "
                f"takes up to twice as long; trials here run without it ({SETTING} sets it)."
            )
    return [*lines, f"  It must not train: {worker.refused}."] if worker.refused else lines


def _lacks(client: Any, plan: Plan, known: Mapping[str, Known]) -> str:
    """Returns the sentence about the files of a plan that workers lack."""
    from ablation.execute.ahead import job_of
    from ablation.execute.cluster.engine import ask
    from ablation.execute.cluster.packing import Packing
    from ablation.execute.worker import run_trial

    packing, lacks, size = Packing(plan.study.task), set[str](), 0
    fit = [address for address, worker in known.items() if not worker.refused]
    for trial in {trial.arm.name: trial for trial in plan.trials}.values():
        job = job_of(plan, trial, Path("doctor"), "auto")
        manifest = packing.pack(run_trial, (job,), None).manifest
        answers = client.run(ask, manifest, workers=fit, on_error="ignore") if fit else {}
        lacks |= {address for address, missing in answers.items() if missing}
        size = max([size, *(packing.size(missing) for missing in answers.values())])
    if not lacks:
        return f"{plan.data.name}: every worker has all that the study reads."
    return (
        f"{plan.data.name}: {len(lacks)} of {len(fit)} workers lack up to {size / 1e6:.1f} MB of "
        "what the study reads; each gets it once, at the start."
    )


def _judge(known: Mapping[str, Known], where: str) -> None:
    """Shows how many workers may train.

    Raises:
        Refused: If none may.
    """
    fit = [worker for worker in known.values() if not worker.refused]
    if not fit:
        has = f"None of the {len(known)} workers of {where} may train" if known else ""
        raise Refused(
            f"{has or f'No worker has joined {where}'}.",
            "Install there what the study runs with."
            if known
            else f"Start some: dask worker {where}",
        )
    threads = sum(worker.threads for worker in fit)
    show(escaped(f"{len(fit)} of {len(known)} workers may train, {threads} trials at once."))
