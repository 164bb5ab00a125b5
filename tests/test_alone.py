# ruff: noqa: NPY002 - the generators that user-defined code draws from
"""Trials are alone: what one of them does to its process changes no figure of another."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import rude
import torch

from ablation.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from ablation.execute.ahead import job_of
from ablation.execute.alone import alone
from ablation.execute.processes import Processes
from ablation.execute.torch_state import settings
from ablation.execute.worker import CHANGED, Ran, run_trial
from ablation.records.outcome import RunResult
from ablation.spec import Study
from ablation.study.plan import Plan, make_plan


def state() -> dict[str, object]:
    found = {each.name: each.read() for each in settings(torch)}
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGUSR1)]
    return found | {
        "environ": dict(os.environ), "cwd": Path.cwd(), "path": list(sys.path),
        "filters": list(warnings.filters), "handlers": handlers, "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(), "torch": torch.get_rng_state().tolist(),
    }  # fmt: skip


@pytest.mark.parametrize("deed", sorted(rude.DEEDS.keys() - {"Between"}))
def test_what_a_trial_sets_is_put_back(deed: str) -> None:
    before = state()
    with alone(0) as stuck:
        drawn = random.random(), np.random.rand(), torch.rand(()).item()
        rude.DEEDS[deed]()
    assert state() == before
    assert not stuck
    with alone(0):
        assert (random.random(), np.random.rand(), torch.rand(()).item()) == drawn


def test_a_thread_leaves_alone_what_is_others_too() -> None:
    def trial() -> None:
        with alone(0):
            os.environ["ABLATION_OF_ANOTHER_THREAD"] = "set meanwhile"

    thread = threading.Thread(target=trial)
    thread.start()
    thread.join()
    assert os.environ.pop("ABLATION_OF_ANOTHER_THREAD") == "set meanwhile"


def _plan(corpus: Path, names: list[str]) -> Plan:
    study = Study(
        name="tiny", question="?", factor="model.pooling", levels=names, baseline=names[0],
        seeds=1,
        config=RunConfig(
            data=DataConfig(source=str(corpus)),
            model=ModelConfig(embedding_size=8, hidden_size=8),
            train=TrainConfig(epochs=2, batch_size=16),
        ),
    )  # fmt: skip
    return make_plan(study, corpus.parent / "cache")


def _figures(plan: Plan, order: list[str]) -> dict[str, list[object]]:
    """Trains every arm in one worker after the other, and returns all that each arm left."""
    by_arm = {trial.arm.name: trial for trial in plan.trials}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ablation.task.text.run"])
    crew = Processes(1, context)
    try:
        jobs = [job_of(plan, by_arm[name], Path("/nonexistent"), "cpu") for name in order]
        trained: list[Ran] = [crew.submit(run_trial, job).result(timeout=300) for job in jobs]
    finally:
        crew.shutdown()
    found: dict[str, list[object]] = {}
    for name, ran in zip(order, trained, strict=True):
        found[name] = [repr(sorted(record.metrics.items())) for record in ran.records]
        if isinstance(ran.ending, RunResult):
            found[name] += [ran.ending.metrics, ran.ending.weights_hash, ran.ending.logits_hash]
        else:
            assert name == "rude:Dtype"
            found[name] += [ran.ending.what, ran.ending.place]
        stuck = "threads between operations" if name == "rude:Between" else None
        assert ran.facts.get(CHANGED) == stuck
    return found


@pytest.mark.slow
def test_no_order_of_the_arms_in_one_worker_changes_a_figure(corpus: Path) -> None:
    own = [f"rude:{name}" for name in ("Mean", *rude.DEEDS)] + ["rude_import:AtImport"]
    order = ["attention", *own, "max"]
    plan = _plan(corpus, order)
    first = _figures(plan, [*order, "attention", "rude_import:AtImport"])
    assert first == _figures(plan, order[::-1])
