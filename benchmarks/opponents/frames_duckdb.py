"""DuckDB from the Parquet files of a store to one-minute means by element, one thread."""

from __future__ import annotations

import time
from typing import Any

import duckdb
from serve import serve


def set_up(files: list[str], quantity: str, step_s: float) -> Any:
    """Open a connection in memory."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    query = f"""SELECT element, epoch_us("time") // {round(step_s * 1e6)} AS step, avg(value) AS mean, count(*) AS n
        FROM read_parquet(?) WHERE quantity = ? GROUP BY ALL"""

    def work() -> dict[str, Any]:
        began = time.perf_counter()
        table = connection.execute(query, [files, quantity]).fetchnumpy()
        taken = time.perf_counter() - began
        return {"seconds": taken, "cells": len(table["mean"]), "sum": float(table["mean"].sum())}

    return f"DuckDB {duckdb.__version__}", work


serve(set_up)
