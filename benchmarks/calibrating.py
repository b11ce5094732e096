"""Calibration of power curves: racks a second, and how the work grows with their number."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator

import numpy as np

from benchmarks.harness import Row, medians_told, row
from topology.generate import generate
from topology.plant import Plant, plant
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.skus import skus
from twin.loads import sku_at

SIZES = (1_000, 10_000)
STEPS, STEP_S = 672, 900.0
REPEATS = 2


def rows() -> Iterator[Row]:
    """A week of quarter hours of every rack's power, output and utilisation to factors of SKUs and draw factors of racks."""
    few, many = (_week(plant(generate("reference", n)), n) for n in SIZES)
    took = medians_told(lambda: _cpu_s(few), lambda: _cpu_s(many), repeats=REPEATS)
    grow = SIZES[1] / SIZES[0]
    yield row(f"calibrate {SIZES[1]:,} racks, CPU per rack over that at {SIZES[0]:,}", took[1] / grow, took[0], "linear growth", "s", 1.25)
    yield row(f"calibrate {SIZES[1]:,} racks, CPU", took[1], 60.0, "goal", "s")


def _cpu_s(what: Seen) -> float:
    began = clock.process_time()
    found = sum(1 for _ in skus(what))
    if found < what.plant.racks.drawing.sum():
        raise AssertionError(f"{found} constants of {what.plant.racks.drawing.sum()} racks")
    return clock.process_time() - began


def _week(where: Plant, seed: int) -> Seen:
    rng = np.random.default_rng(seed)
    racks = where.racks
    hour = np.arange(STEPS)[:, None] * STEP_S / 3600.0
    level, phase = rng.uniform(0.4, 0.7, racks.n), rng.uniform(0.0, 24.0, racks.n)
    u = np.clip(level + 0.25 * np.sin(2.0 * np.pi * (hour - phase) / 24.0) + rng.normal(0.0, 0.01, (STEPS, racks.n)), 0.0, 1.0)
    fed, out = np.full(u.shape, np.nan), np.full(u.shape, np.nan)
    draw = np.exp(rng.normal(0.0, 0.03, racks.n))
    for k, sku in enumerate(racks.skus):
        own = np.flatnonzero((racks.sku == k) & racks.drawing)
        power = sku_at(sku, u[:, own])
        fed[:, own], out[:, own] = (draw[own] * p * (1.0 + rng.normal(0.0, 0.005, p.shape)) for p in power[:2])
    time = np.datetime64("2026-03-02", "us") + (np.arange(STEPS) * STEP_S * 1e6).astype("timedelta64[us]")
    steps, none = np.full(STEPS, np.nan), np.zeros((STEPS, 0))
    read = {"rack power": fed, "rack output power": out}
    return Seen(
        where, time, STEP_S, read, np.nan_to_num(fed), np.isfinite(fed), u, steps, none, none, none, steps, none, np.zeros(where.power.n)
    )
