"""A synthetic year from a site's design weather: for trying things out, never for a report."""

from __future__ import annotations

import numpy as np

from topology.kinds import Settings
from twin.energy.weather_year import WeatherYear
from twin.weather import standard_pressure_pa

YEAR = 2027
HOURS = 8760
HOTTEST_DAY, HOTTEST_HOUR = 200, 15
"""Late July at 15 h: where the northern hemisphere's design hour lies."""
DRY_SEASON_K, DRY_DAY_K = 12.0, 5.0
WET_SEASON_K, WET_DAY_K = 9.0, 1.5
"""Amplitudes of both bulbs over the year and over the day: a temperate inland climate, by estimate."""


def synthetic_year(site: Settings) -> WeatherYear:
    """One hot afternoon at the design wet and dry bulb, and two cosines from there down.

    ``T = T_design - A (1 - cos(day)) - B (1 - cos(hour))`` for each bulb; the wet bulb is held at or below the dry bulb.

    Args:
        site: settings with design bulbs and altitude.

    Returns:
        8,760 hours of a year without leap day, local time being UTC.
    """
    hour = np.arange(HOURS)
    season = 1.0 - np.cos(2.0 * np.pi * (hour // 24 - HOTTEST_DAY) / 365.0)
    day = 1.0 - np.cos(2.0 * np.pi * (hour % 24 - HOTTEST_HOUR) / 24.0)
    dry = site.design_dry_bulb_c - DRY_SEASON_K * season - DRY_DAY_K * day
    wet = np.minimum(site.design_wet_bulb_c - WET_SEASON_K * season - WET_DAY_K * day, dry)
    time = np.datetime64(f"{YEAR}-01-01T00:00:00") + hour * np.timedelta64(3600, "s")
    month = time.astype("datetime64[M]").astype(np.int64) % 12 + 1
    source = f"synthetic year from design wet bulb {site.design_wet_bulb_c:g} degC and dry bulb {site.design_dry_bulb_c:g} degC"
    return WeatherYear(site.name, source, True, 0.0, 3600.0, time, month, dry, wet, np.full(HOURS, standard_pressure_pa(site.altitude_m)))
