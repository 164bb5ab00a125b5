"""The command line: chooses what, calls the rest, prints. Heavy libraries load when needed."""

from ablation.cli.commands import app, main

__all__ = ["app", "main"]
