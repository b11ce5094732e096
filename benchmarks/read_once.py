"""Frames of a whole store in a process of their own, one thread: prints seconds and peak memory as JSON."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pyarrow as pa

from benchmarks.memory import peak_gb
from telemetry.frames import frames
from telemetry.store import Store


def main(where: str) -> None:
    """One-minute frames of the power of every element of a store."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    store = Store.open(where)
    elements = sys.stdin.read().split()
    began = time.perf_counter()
    read = frames(store, elements, "power_w", None, None, 60.0)
    taken = time.perf_counter() - began
    print(
        json.dumps(
            {"seconds": taken, "peak_gb": peak_gb(), "cells": int(np.isfinite(read.values).sum()), "sum": float(np.nansum(read.values))}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
