"""Cells of the calibration benchmark, one module per group of promises."""
