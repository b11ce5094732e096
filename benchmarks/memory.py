"""Peak memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_gb() -> float:
    """Largest resident memory since this program began [GB].

    On Linux it is read where the kernel keeps it for this program alone: ``getrusage`` counts what the process was before it became
    this program, a large parent for instance.
    """
    if STATUS.is_file():
        kb = next(line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(kb) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
