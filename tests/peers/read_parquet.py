"""Two other readers of Parquet on the data files of a store: how many readings, their sum, how many elements, first and last time."""

from __future__ import annotations

import json
import sys

import duckdb
import polars as pl

files = json.load(sys.stdin)["files"]
by_sql = duckdb.sql(
    "select count(*), sum(value), count(distinct element), epoch_us(min(time)), epoch_us(max(time)), count(distinct day) "
    f"from read_parquet({files!r}, hive_partitioning = true) where quantity = 'power_w'"
).fetchall()[0]
time = pl.col("time").dt.epoch("us")
by_frame = (
    pl.scan_parquet(files, hive_partitioning=True)
    .filter(pl.col("quantity") == "power_w")
    .select(
        n=pl.len(), total=pl.col("value").sum(), elements=pl.col("element").n_unique(), first=time.min(), last=time.max(),
        days=pl.col("day").n_unique(),
    )
    .collect()
    .row(0)
)  # fmt: skip
print(json.dumps({"duckdb": by_sql, "polars": by_frame}))
