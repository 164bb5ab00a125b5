"""Walks a study's plan: a crew trains, and one process records in MLflow and Optuna."""

from ablation.execute.ahead import hand_out
from ablation.execute.backup import back_up
from ablation.execute.crew import Crew, ExecutorCrew, ProcessCrew
from ablation.execute.glance import Glance, glance
from ablation.execute.holding import Held, hold
from ablation.execute.session import Session, session
from ablation.execute.sync import sync
from ablation.execute.walk import walk

__all__ = [
    "Crew",
    "ExecutorCrew",
    "Glance",
    "Held",
    "ProcessCrew",
    "Session",
    "back_up",
    "glance",
    "hand_out",
    "hold",
    "session",
    "sync",
    "walk",
]
