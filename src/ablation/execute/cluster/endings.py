"""The ends of calls that workers elsewhere carry out, and of a crew that no worker is left of."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, InvalidStateError
from typing import Any

from ablation.execute.cluster.station import Answer, Errand, job_in
from ablation.execute.crew import Stranded
from ablation.execute.worker import Job, crash_file

GRACE = 10.0
"""Seconds that other workers have to join where all that are there must not train."""


def settle(call: Future[Any], answer: Answer, errand: Errand) -> None:
    """Gives a call's future its value or its exception; leaves what a lost process left behind."""
    if answer.kind == "value":
        with contextlib.suppress(InvalidStateError):  # it was cancelled
            call.set_result(answer.value)
        return
    with contextlib.suppress(OSError):
        _leave(answer, job_in(errand.args))
    fail(call, answer.value)


def _leave(answer: Answer, job: Job | None) -> None:
    """Puts what a lost trial left there where the conductor looks for it."""
    if job is None or job.progress is None or job.folder is None:
        return
    texts = {job.progress: answer.progress, crash_file(job.progress): answer.crash}
    for path in [path for path, text in texts.items() if text]:
        path.write_text(texts[path], encoding="utf-8")
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    for suffix, content in answer.left.items():
        job.folder.with_name(f"{job.folder.name}{suffix}").write_bytes(content)


def fail(call: Future[Any], error: BaseException) -> None:
    """Gives a call's future an exception, unless it has ended."""
    with contextlib.suppress(InvalidStateError):
        call.set_exception(error)


def stranded(refused: dict[str, str], where: str) -> Stranded:
    """Returns that no worker may train.

    Args:
        refused: Worker to why not.
        where: How the command line names the workers.
    """
    name, reason = next(iter(refused.items()), ("", "none answers as it should"))
    others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    which = f" {name}{others}:" if name else ""
    return Stranded(
        f"No worker of {where} may train;{which} {reason}."[:690],
        "Install what the study runs with there; recorded trials are kept.",
    )


def unreached(error: BaseException) -> Stranded:
    """Returns that an error cut the conductor off from its workers."""
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Stranded(
        f"The workers can no longer be reached: {said}.",
        "Run the same command again; recorded trials are kept.",
    )
