"""Plain frozen values shared by all of the harness; imports no torch, pandas or MLflow."""
