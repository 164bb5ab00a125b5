"""Walks a study's plan: trains in worker processes, records in MLflow, mirrors in Optuna."""
