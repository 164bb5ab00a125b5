"""Walks a study's plan: a crew trains, and one process records in MLflow and Optuna."""

from ablation.execute.crew import Crew, ExecutorCrew, ProcessCrew
from ablation.execute.session import Session, session
from ablation.execute.walk import walk

__all__ = ["Crew", "ExecutorCrew", "ProcessCrew", "Session", "session", "walk"]
