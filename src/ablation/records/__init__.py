"""Plain frozen values that every part of the harness shares; no torch, pandas or MLflow here."""
