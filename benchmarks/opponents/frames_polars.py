"""Polars from the Parquet files of a store to one-minute means by element, streaming, one thread."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
from serve import serve


def set_up(files: list[str], quantity: str, step_s: float) -> Any:
    """Prepare nothing: each call scans anew."""

    def work() -> dict[str, Any]:
        began = time.perf_counter()
        rows = pl.scan_parquet(files).filter(pl.col("quantity") == quantity)
        step = (pl.col("time").dt.timestamp("us") // round(step_s * 1e6)).alias("step")
        table = rows.group_by("element", step).agg(pl.col("value").mean().alias("mean"), pl.len()).collect(engine="streaming")
        taken = time.perf_counter() - began
        return {"seconds": taken, "cells": table.height, "sum": float(table["mean"].sum())}

    return f"Polars {pl.__version__}", work


serve(set_up)
