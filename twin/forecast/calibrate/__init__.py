"""Calibration: parameters from measured series, with what is known beforehand, an interval each, and the word where data cannot tell."""

from twin.forecast.calibrate.baselines import constant_ratio, lagged_regression
from twin.forecast.calibrate.fit import Block, Calibration, calibrate
from twin.forecast.calibrate.priors import Fitted, Prior
from twin.forecast.calibrate.scores import Score, score
from twin.forecast.calibrate.series import Grid, Jump, grid, identical, jumps, resampled, split_step

__all__ = [
    "Block", "Calibration", "Fitted", "Grid", "Jump", "Prior", "Score", "calibrate", "constant_ratio", "grid", "identical", "jumps",
    "lagged_regression", "resampled", "score", "split_step",
]  # fmt: skip
