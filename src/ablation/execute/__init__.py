"""Walks a study's plan: a crew trains, MLflow records, Optuna mirrors; one process owns both."""

from ablation.execute.crew import Crew, ExecutorCrew, ProcessCrew
from ablation.execute.session import Session, session
from ablation.execute.walk import walk

__all__ = ["Crew", "ExecutorCrew", "ProcessCrew", "Session", "session", "walk"]
