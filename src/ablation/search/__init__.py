"""Asks Optuna where to look next, and when to stop looking; on studies in memory alone."""

from ablation.search.ask import WINDOW, ask
from ablation.search.importance import importance_key, importance_table
from ablation.search.prune import Pruning

__all__ = ["WINDOW", "Pruning", "ask", "importance_key", "importance_table"]
