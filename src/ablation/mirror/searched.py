"""Shows the trials of tunings and searches as Optuna studies, one for each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile
from typing import TYPE_CHECKING

from ablation.mirror.read import RUN, SEED
from ablation.mirror.write import name_metric
from ablation.records.metric import Metric
from ablation.records.told import Told
from ablation.search.ask import distributions_of, frozen
from ablation.study.searched import Search

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

SEARCH = "ablation.search"
"""Attribute of such an Optuna study: the search's name."""


def mirror_search(
    storage: RDBStorage,
    label: str,
    search: Search,
    told: Mapping[int, tuple[Told, str]],
    metric: Metric,
) -> None:
    """Brings a search's Optuna study up to date, trials in the order of their numbers.

    A study that holds a trial of another run is written anew.

    Args:
        storage: The Optuna storage.
        label: The study label.
        search: The search.
        told: Number to trial and run id.
        metric: Its value on validation is the objective.
    """
    from optuna.study import StudyDirection

    name = f"{label} · {name_of(search)} [{search.name.rpartition('/')[2]}]"
    known = {each.study_name: each._study_id for each in storage.get_all_studies()}
    whole = [told[number] for number in takewhile(told.__contains__, count())]
    if name in known:
        shown = storage.get_all_trials(known[name], deepcopy=False)
        runs = [cell.user_attrs.get(RUN) for cell in shown]
        if runs != [run for _, run in whole[: len(runs)]]:
            storage.delete_study(known.pop(name))
    if name not in known:
        way = StudyDirection.MAXIMIZE if metric.direction > 0 else StudyDirection.MINIMIZE
        known[name] = storage.create_new_study([way], name)
        storage.set_study_user_attr(known[name], SEARCH, search.name)
        name_metric(storage, name, f"validation {metric.title}")
    distributions = distributions_of(search.space)
    for each, run in whole[storage.get_n_trials(known[name]) :]:
        cell = frozen(each, distributions)
        cell.user_attrs = {SEED: each.seed, RUN: run, "seconds": each.seconds}
        storage.create_new_trial(known[name], cell)


def name_of(search: Search) -> str:
    """Returns how a search is called: by its arm, and by its block if it has one.

    >>> name_of(Search(name="s/1", arm="mean", replicate=3, config=None, space={}, trials=16,
    ...     pruner="none"))
    'tuning of mean, block 3'
    """
    block = "" if search.replicate is None else f", block {search.replicate}"
    return f"tuning of {search.arm}{block}"
