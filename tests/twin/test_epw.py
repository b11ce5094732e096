"""Weather files: what they say, what is left out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.twin.air import library
from topology.errors import WeatherError
from topology.kinds import Settings
from twin.energy.epw import read_epw
from twin.energy.hourly import constant_or_file, read_hourly
from twin.energy.typical import synthetic_year
from twin.energy.weather_year import WeatherYear

HEAD = """LOCATION,Sample Town,SX,DEU,made up,108270,48.2,11.6,{zone},500.0
DESIGN CONDITIONS,0
TYPICAL/EXTREME PERIODS,0
GROUND TEMPERATURES,0
HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0
COMMENTS 1,made for a test
COMMENTS 2,
DATA PERIODS,1,1,Data,Sunday,1/1,12/31
"""
Edit = Callable[[list[str]], None]


def row(
    month: int, day: int, hour: int, dry: str = "20.0", dew: str = "10.0", humid: str = "53", pressure: str = "95500", year: int = 2021
) -> str:
    """One data row with the fields that are read, and the rest of the 35 as missing."""
    return ",".join([str(year), str(month), str(day), str(hour), "0", "A7A7", dry, dew, humid, pressure, *["9999"] * 25])


def hours(days: int = 1) -> Iterator[str]:
    for n in range(days * 24):
        yield row(1, n // 24 + 1, n % 24 + 1, dry=f"{5.0 + n % 24 / 2.0:.1f}")


def write(folder: Path, rows: list[str], zone: str = "1.0", head: str = HEAD) -> Path:
    path = folder / "town.epw"
    path.write_text(head.format(zone=zone) + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def read(folder: Path, change: Edit, days: int = 1) -> WeatherYear:
    rows = list(hours(days))
    change(rows)
    return read_epw(write(folder, rows))


def test_hours_are_utc_and_humidity_makes_the_wet_bulb(tmp_path: Path) -> None:
    found = read_epw(write(tmp_path, list(hours(2)), zone="5.5"))
    assert found.place == "Sample Town, SX, DEU"
    assert (found.zone_h, found.step_s, found.left_out, found.synthetic) == (5.5, 3600.0, 0, False)
    assert found.time[0] == np.datetime64("2020-12-31T18:30:00")
    assert (np.diff(found.time) == np.timedelta64(3600, "s")).all()
    assert set(found.month.tolist()) == {1}
    expected = library().GetTWetBulbFromRelHum(found.dry_bulb_c[3], 0.53, 95500.0)
    assert found.wet_bulb_c[3] == pytest.approx(expected, abs=1e-3)
    assert (found.pressure_pa == 95500.0).all()


def test_missing_codes_are_quarantined_with_their_rows(tmp_path: Path) -> None:
    def spoil(rows: list[str]) -> None:
        rows[3] = row(1, 1, 4, dry="99.9")
        rows[4] = row(1, 1, 5, dry="99.9")
        rows[10] = row(1, 1, 11, dew="99.9", humid="999")
        rows[12] = row(1, 1, 13, humid="999")
        rows[14] = row(1, 1, 15, pressure="999999")

    found = read(tmp_path, spoil)
    assert found.left_out == 3
    assert found.time.size == 21
    assert not np.isin(np.datetime64("2021-01-01T02:00:00"), found.time)
    places = [(f.row, f.column, f.severity) for f in found.findings]
    assert places == [(12, "dry bulb", "warning"), (19, "relative humidity", "warning"), (23, "pressure", "warning")]
    assert "to row 13, 2 hours" in found.findings[0].message
    assert found.findings[0].value == "99.9"
    by_dew = found.wet_bulb_c[found.time == np.datetime64("2021-01-01T11:00:00")]
    assert by_dew == pytest.approx(library().GetTWetBulbFromTDewPoint(20.0, 10.0, 95500.0), abs=2e-3)
    assert found.pressure_pa[found.time == np.datetime64("2021-01-01T13:00:00")] == pytest.approx(95461.0, abs=1.0)


def edit(n: int, old: str, new: str) -> Edit:
    def change(rows: list[str]) -> None:
        assert old in rows[n]
        rows[n] = rows[n].replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (edit(5, ",7.5,", ",warm,"), (14, "dry bulb"), "'warm' is no number"),
        (edit(5, "2021,1,1,6", "2021,1,1,25"), (14, "hour"), "there is no 1-1 hour 25"),
        (edit(5, "2021,1,1,6", "2021,2,30,6"), (14, "hour"), "there is no 2-30 hour 6"),
        (edit(5, "2021,1,1,6", "2021,13,1,6"), (14, "hour"), "there is no 13-1"),
        (edit(5, "2021,1,1,6", "2021,1,1,5"), (14, "hour"), "stands twice"),
        (lambda rows: rows.__setitem__(5, "2021,1,1,6"), (14, ""), "has 4 fields"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, change: Edit, place: tuple[int, str], message: str) -> None:
    with pytest.raises(WeatherError) as caught:
        read(tmp_path, change)
    fault = caught.value.findings[0]
    assert (fault.row, fault.column) == place
    assert message in fault.message
    assert fault.file.endswith("town.epw")


@pytest.mark.parametrize(
    ("head", "message"),
    [("PLACE" + HEAD[8:], "is no EPW file"),
     (HEAD.replace("{zone}", "east"), "time zone 'east'"),
     (HEAD.replace("500.0", ""), "elevation ''"),
     (HEAD.replace("PERIODS,1,1,Data", "PERIODS,1,0,Data"), "records an hour '0'")],
)  # fmt: skip
def test_headers_that_cannot_be_used_are_named(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(WeatherError, match=message):
        read_epw(write(tmp_path, list(hours()), head=head))


def test_files_without_weather_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeatherError, match="no data rows"):
        read_epw(write(tmp_path, []))
    with pytest.raises(WeatherError, match="no hour with usable weather"):
        read_epw(write(tmp_path, [row(1, 1, 1, dry="99.9")]))
    with pytest.raises(WeatherError, match="--weather"):
        read_epw(tmp_path / "absent.epw")


def test_leap_days_and_typical_months_of_many_years(tmp_path: Path) -> None:
    rows = [row(1, 1, 1, year=2003), row(2, 29, 1, year=1996), row(3, 1, 24, year=1999)]
    found = read_epw(write(tmp_path, rows, zone="0"))
    assert found.time.astype("datetime64[h]").astype(str).tolist() == ["2024-01-01T00", "2024-02-29T00", "2024-03-01T23"]
    plain = read_epw(write(tmp_path, [row(2, 28, 24, year=1999), row(3, 1, 1, year=2001)], zone="0"))
    assert (plain.time[1] - plain.time[0]) == np.timedelta64(3600, "s")


def test_parts_of_an_hour(tmp_path: Path) -> None:
    rows = [row(1, 1, h, dry="8.0").replace(f",{h},0,A7", f",{h},{m},A7") for h in (1, 2) for m in (30, 60)]
    found = read_epw(write(tmp_path, rows, zone="0", head=HEAD.replace("PERIODS,1,1", "PERIODS,1,2")))
    assert found.step_s == 1800.0
    assert (np.diff(found.time) == np.timedelta64(1800, "s")).all()
    assert found.time[0] == np.datetime64("2021-01-01T00:00:00")


def test_the_synthetic_year_reaches_the_design_weather_once_and_says_what_it_is() -> None:
    site = Settings(name="town", design_wet_bulb_c=21.0, design_dry_bulb_c=33.0, altitude_m=300.0)
    year = synthetic_year(site)
    assert year.synthetic
    assert "synthetic" in year.source
    assert (year.time.size, year.wet_bulb_c.max(), year.dry_bulb_c.max()) == (8760, 21.0, 33.0)
    assert int(year.dry_bulb_c.argmax()) == 200 * 24 + 15
    assert (year.wet_bulb_c <= year.dry_bulb_c).all()
    humid = library().GetHumRatioFromTWetBulb(year.dry_bulb_c, year.wet_bulb_c, year.pressure_pa)
    assert (humid > 1e-4).all()
    assert [int((year.month == m).sum()) for m in (1, 2, 12)] == [744, 672, 744]


def test_hourly_series_meet_the_hours_of_another_year(tmp_path: Path) -> None:
    time = np.array(["2027-03-01T00", "2027-03-01T01", "2027-03-01T02"], dtype="datetime64[s]")
    path = tmp_path / "grid.csv"
    path.write_text("time,carbon_g_kwh\n2025-03-01T02:00+01:00,300\n2025-03-01T02:00Z,100\n2025-03-01T02:30Z,200\n2025-03-01T00:00Z,50\n")
    assert constant_or_file(str(path), "mass_per_energy", "g_kwh", time, "--carbon") == pytest.approx(
        np.array([50.0, 300.0, 150.0]) / 3.6e9
    )
    assert constant_or_file("360", "mass_per_energy", "g_kwh", time, "--carbon") == pytest.approx([1e-7] * 3)
    with pytest.raises(WeatherError, match="lacks 1 of 4 hours, the first is 2027-03-01T09"):
        read_hourly(path, "mass_per_energy", np.append(time, np.datetime64("2027-03-01T09:00:00")))
    for text, message in (("time,carbon\n", "a column is missing"), ("time,carbon_g_kwh\n2025-03-01T00:00,5\n", "has no zone"),
                          ("time,carbon_g_kwh\n2025-03-01T00:00Z,-5\n", "at least 0"),
                          ("time,carbon_g_kwh\nnoon,5\n", "noon")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(WeatherError) as caught:
            read_hourly(path, "mass_per_energy", time)
        assert message in caught.value.findings[0].message
