"""Turns runs into effects and verdicts, for all arms of a study at its declared looks."""
