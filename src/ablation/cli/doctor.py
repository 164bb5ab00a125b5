"""The command ``doctor``: asks every worker of a scheduler what it is, before a long study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablation.cli.options import Data, Label, Text
from ablation.cli.output import show_line
from ablation.errors import Refused, public

if TYPE_CHECKING:
    from ablation.execute.cluster.scheduler import Known
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
    from ablation.execute.cluster.fitness import TORCH, expected
    from ablation.execute.cluster.rehearsal import fits, lacks_of, tried
    from ablation.execute.cluster.scheduler import ask_workers, connect, workers_there
    from ablation.study.load import STUDIES, load
    from ablation.task import Redirection

    study = load(name, STUDIES) if name else None
    libraries = tuple(study.task.libraries) if study else (TORCH,)
    memory = study.memory * GB if study and study.memory else None
    client = connect(workers_at)
    try:
        redirection = Redirection(data=data, text=text, label=label)
        plans = plans_of(study, redirection) if study else ()
        there = workers_there(client)
        known = ask_workers(client, libraries, expected(libraries, memory), there)
        lines = [
            f"{_title(plan, plans)}: {lacks_of(client, plan, known)}"
            for plan in plans
            if fits(known)
        ]
        for plan in plans:
            known = tried(client, plan, known)
        about = [line for at, worker in known.items() for line in told(worker, there[at])]
        for line in about + lines:
            show_line(line)
    except OSError as error:
        raise Refused(
            f"{public(workers_at)} stopped answering: {' '.join(str(error).split())[:200]}.",
            "Look at the scheduler, and run the same command again.",
        ) from error
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


def _title(plan: Plan, plans: Sequence[Plan]) -> str:
    """Returns a study's name, with that of the data where there are several."""
    return plan.study.name + (f" on {plan.data.name}" if len(plans) > 1 else "")


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
    show_line(f"{len(fit)} of {len(known)} workers may train, {threads} trials at once.")
