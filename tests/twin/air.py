"""PsychroLib in SI units, set once: it compiles anew each time its units are set."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from twin.energy.psychrometrics import wet_bulb_c


@cache
def library() -> Any:
    """PsychroLib as the project has set it up."""
    import psychrolib

    wet_bulb_c(np.array([20.0]), np.array([0.5]), np.array([101325.0]))
    return psychrolib
