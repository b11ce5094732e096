"""What an exported replay says of itself to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT = """# Replay of {site}

{start} to {end}, {steps} steps of {step_s:g} s, {readings} readings.

Made by `{command}` with racktwin {racktwin}.

Reproduce it from this folder alone and compare every array bit for bit:

    racktwin replay --check .

Or step by step, with a store of your own:

    racktwin ingest site readings --store store --vendor racktwin && racktwin replay site --store store --start {start} \
--end {end} --step {step_s:g}s{calibration} --residuals

Of readings that several instruments made of one quantity at one time, the second way takes the first alone.

| file | holds |
| --- | --- |
| `about.json` | window, versions, digests of the site, of every file and of every array |
| `site/` | the site folder as it was read, with its catalog and vendor mappings |
{listed}| `readings/readings.parquet` | every reading of the window, and of two steps before and after it |
| `results/steps` | every step: powers, PUE, weather, hottest accelerator, smallest margin |
| `results/loops` | supply and return of every loop in every step |
| `results/margins` | the smallest margin of every limit |
| `results/racks.parquet` | power that each rack was solved with |
| `results/residuals` | how far each meter is from the twin |
| `results/beside.parquet` | every reading beside its prediction |

Values are in SI, temperatures in degrees Celsius. The second row of a CSV holds the units.
"""


def readme(about: Mapping[str, Any], calibrated: bool) -> str:
    """The README of an export.

    Args:
        about: what ``about.json`` says.
        calibrated: there is a calibration.
    """
    given = {k: about[k] for k in ("site", "start", "end", "steps", "step_s", "readings")}
    listed = "| `calibration.csv` | constants of the site that telemetry told |\n" if calibrated else ""
    option = " --calibration calibration.csv" if calibrated else ""
    return _TEXT.format(
        **given, command=" ".join(about["command"]), racktwin=about["versions"]["racktwin"], listed=listed, calibration=option
    )
