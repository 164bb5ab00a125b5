"""The command line: reads options, calls the other packages and prints."""

from ablation.cli.commands import app, main

__all__ = ["app", "main"]
