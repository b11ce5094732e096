"""Telemetry of a small plant that is known but for one fouled CDU and one sensor that is off, as the meters of it would read."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from topology.overlay import Constant, laid_over
from topology.plant import Plant
from twin.loads import from_power
from twin.observe import CHANNELS
from twin.solvers.steady import solve_steady
from twin.state import Ambient

START = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
STEPS, STEP_S = 2000, 60.0
END = START + dt.timedelta(seconds=STEPS * STEP_S)
READ = ("rack power", "CDU supply temperature", "CDU flow", "feed power", "chip temperature")
FOULED = Constant(element="cdu-2", parameter="ua_factor", value=0.7)
WARM = Constant(element="cdu-1", parameter="bias", value=0.8, quantity="supply_temp_c", part="Secondary")


def recorded(p: Plant, rng: np.random.Generator) -> pd.DataFrame:
    """Readings of a small plant; one rack is silent for 20 minutes across the end of the first day."""
    time = pd.date_range(START, periods=STEPS, freq="60s")
    real = laid_over(p, (FOULED,))
    power = 100e3 + 20e3 * np.sin(np.arange(STEPS)[:, None] / 300.0 + np.arange(p.racks.n))
    state = solve_steady(real, from_power(real, power), Ambient(np.full(STEPS, 26.0)))
    rows = [pd.DataFrame({"time": time, "element": "site", "quantity": "wet_bulb_c", "value": 26.0, "level": "utility"})]
    for name in READ:
        c = CHANNELS[name]
        value = c.predict(real, state)
        value = value * (1.0 + rng.normal(0.0, c.noise, value.shape)) if c.relative else value + rng.normal(0.0, c.noise, value.shape)
        for k, element in enumerate(c.elements(p)):
            own = value[:, k] + (WARM.value if (name, element) == ("CDU supply temperature", "cdu-1") else 0.0)
            rows.append(pd.DataFrame(
                {"time": time, "element": element, "part": c.part, "quantity": c.quantity, "value": own, "level": c.level}
            ).dropna(subset="value"))  # fmt: skip
    table = pd.concat(rows, ignore_index=True).fillna({"part": ""})
    lost = (table.element == "r1") & (table.quantity == "power_w") & (table.time >= START + dt.timedelta(minutes=1430))
    return table[~(lost & (table.time < START + dt.timedelta(minutes=1450)))].assign(implementation="PhysicalSensor", quality="good")
