"""A row of racks in a folder, two days of its power, and the command line as a user calls it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

from dashboards.cli import app
from topology.generate import generate
from topology.site import Site
from topology.write import write_site

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
HOURS = 48


def row_folder(folder: Path) -> Path:
    """The one-row template as a folder."""
    write_site(generate("row"), folder)
    return folder


def power_file(path: Path, site: Site | None = None) -> Path:
    """Rack power every 15 min over two days, between a half and nine tenths of what is allocated."""
    racks = (site or generate("row")).racks
    time = pd.date_range(START, periods=HOURS * 4, freq="15min")
    allocated = {"mtia-450": 141.0, "hgx-h100": 40.8}
    swing = 0.7 + 0.2 * np.sin(np.arange(time.size) / 12.0)
    parts = [pd.DataFrame({"time": time, "element": n, "power_kw": allocated[r.sku] * swing}) for n, r in racks.items()]
    pd.concat(parts).to_parquet(path, index=False)
    return path


def run(*arguments: object) -> Result:
    """Run ``racktwin`` in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments])


def answer(*arguments: object, code: int = 0) -> dict[str, Any]:
    """The JSON document of a command, which must be all that stands on standard output."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, (result.stderr, result.exception)
    found = json.loads(result.stdout, parse_constant=lambda text: (_ for _ in ()).throw(AssertionError(f"{text} is no JSON")))
    assert isinstance(found, dict)
    return found


def refused(*arguments: object) -> str:
    """The complaint about bad input: exit 2, nothing on standard output, no traceback."""
    result = run(*arguments)
    assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return str(result.stderr)
