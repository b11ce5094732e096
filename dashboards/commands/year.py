"""``racktwin year``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dashboards.commands.options import Calibration, Json, SiteArgument, UtilisationText, open_session, utilisation_of
from dashboards.commands.output import emit, note, note_doubts, steps, table

if TYPE_CHECKING:
    from dashboards.session import Session
    from twin.energy.ratios import Tariff
    from twin.energy.year import Year

_Weather = Annotated[
    Path | None,
    typer.Option(
        "--weather", metavar="FILE", help="EPW weather file; a synthetic year from the design weather without.", show_default=False
    ),
]
_Price = Annotated[
    str | None,
    typer.Option("--price", metavar="P", help="USD/kWh, or a CSV file of hours; the site's price where not given.", show_default=False),
]
_Demand = Annotated[
    float | None,
    typer.Option("--demand-charge", metavar="D", min=0.0, help="USD/kW for the highest hour of each month.", show_default=False),
]
_Carbon = Annotated[
    str | None, typer.Option("--carbon", metavar="C", help="g/kWh of the grid, or a CSV file of hours.", show_default=False)
]
_Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Folder for year.xlsx, hours.parquet, months.csv and year.html.", show_default=False),
]


def year(
    site: SiteArgument, weather: _Weather = None, utilisation: UtilisationText = None, price: _Price = None, demand_charge: _Demand = None,
    carbon: _Carbon = None, out: _Out = None, calibration: Calibration = None, as_json: Json = False,
) -> None:  # fmt: skip
    """A year of the site, hour by hour: energy, PUE with its category, water, cost, carbon, hours of free cooling.

    Every hour is solved at --utilisation (1 where not given) in the weather of an EPW file.

    Example: `racktwin year mysite --weather city.epw --utilisation 0.8 --price 0.07 --demand-charge 12 --carbon 350 --out year`.

    Units: MWh, kW, m3 and degC here; J, W, L and degC with --json. Exit 1 where a limit is violated or hours of the file were left out.
    """
    load = utilisation_of(utilisation)
    load = 1.0 if load is None else load
    session = open_session(site, calibration=calibration)
    with steps("solving hours") as told:
        solved = session.year(load, weather, told)
    from dashboards import year_answers

    bill = year_answers.tariff(solved, session.site.settings, price, demand_charge, carbon)
    answer = year_answers.solved_year(solved, session.site.settings, bill, load)
    answer["files"] = [str(f) for f in _write(session, solved, answer, bill, out)] if out is not None else []
    emit(answer, as_json, lambda console: _show(console, answer))
    if not as_json:
        note_doubts(solved.weather.findings)
        if solved.weather.synthetic:
            note("the weather is synthetic, made from the site's design values; give --weather FILE.epw for a real year")
    if answer["limits_violated"] or solved.weather.left_out:
        raise typer.Exit(1)


def _write(session: Session, solved: Year, answer: dict[str, Any], bill: Tariff, out: Path) -> list[Path]:
    from dashboards import exports
    from dashboards.exports.tables import write_whole
    from dashboards.exports.year import year_tables
    from dashboards.figures.year import year_figure

    tables = year_tables(solved, answer, bill)
    by_name = {t.name: t for t in tables}
    used = {"weather": answer["weather"]["source"], "utilisation": answer["utilisation"], "PUE": answer["pue_kind"]}
    origin = exports.about(session, "year", used)
    files = [*exports.write(out / "year.xlsx", tables, origin)]
    files += exports.write(out / "hours.parquet", (by_name["hours"],), origin)
    files += exports.write(out / "months.csv", (by_name["months"],), origin)
    page = out / "year.html"
    write_whole(page, year_figure(solved).to_html(include_plotlyjs=True, full_html=True).encode())
    return [*files, page]


_MONTHS = ("month", "site", "IT", "PUE", "peak", "water", "WUE", "free cooling", "chiller", "cost")


def _show(out: Console, answer: dict[str, Any]) -> None:
    from dashboards.readable import text
    from dashboards.year_answers import PUE_CATEGORY

    w = answer["weather"]
    place = f" ({w['place']})" if w["place"] not in ("", answer["site"]) else ""
    out.print(f"{answer['site']}: {answer['hours']:,.0f} hours, {w['source']}{place}")
    for name, key in (
        ("site energy", "site_energy_j"),
        ("IT energy", "it_energy_j"),
        ("power chain loss", "chain_loss_energy_j"),
        ("cooling", "cooling_energy_j"),
    ):
        out.print(f"  {name:<18}{answer[key] / 3.6e9:>14,.1f} MWh")
    where = PUE_CATEGORY[answer["pue_category"]]
    out.print(f"  {'PUE':<18}{_ratio(answer['pue']):>14}     category {answer['pue_category']}, {where}; designed, not measured")
    others = ", ".join(f"category {k} {_ratio(answer[f'pue_category_{k}'])}" for k in (1, 2))
    out.print(f"  {'':<18}{'':>14}     {others}; TUE {_ratio(answer['tue'])}, ITUE {_ratio(answer['itue'])}, ERE {_ratio(answer['ere'])}")
    shares = ", ".join(f"{k} {v:.3f}" for k, v in answer["ppue"].items() if v > 1.0005)
    out.print(f"  {'pPUE':<18}{shares}")
    out.print(f"  {'water':<18}{answer['water_l'] / 1e3:>14,.0f} m3  WUE {_ratio(answer['wue_l_kwh'])} L/kWh")
    out.print(f"  {'cost':<18}{answer['cost_usd']:>14,.0f} USD {answer['demand_cost_usd']:,.0f} of it for demand")
    if answer["carbon_kg"] is not None:
        out.print(f"  {'carbon':<18}{answer['carbon_kg'] / 1e3:>14,.1f} t")
    peak = answer["peak"]
    out.print(f"  {'peak':<18}{text(peak['site_power_w'], 'w'):>18} at {peak['time']}, wet bulb {peak['wet_bulb_c']:.1f} degC")
    out.print(f"  {'towers':<18}Merkel in {answer['merkel_hours']:,.0f} hours outside York's bounds")
    out.print(
        f"  {'chillers':<18}{answer['chiller_hours']:,.0f} hours; free cooling {answer['free_cooling_hours']:,.0f} hours,"
        f" both together {answer['shared_cooling_hours']:,.0f}"
    )
    for row in answer["limits_violated"][:5]:
        out.print(f"  {'violated':<18}{row['limit']} in {row['hours']:,.0f} hours")
    out.print()
    rows = [
        (str(m["month"]), f"{m['site_energy_j'] / 3.6e9:,.1f} MWh", f"{m['it_energy_j'] / 3.6e9:,.1f} MWh", _ratio(m["pue"]),
         text(m["peak_power_w"], "w"), f"{m['water_l'] / 1e3:,.0f} m3", _ratio(m["wue_l_kwh"]), f"{m['free_cooling_hours']:,.0f} h",
         f"{m['chiller_hours']:,.0f} h", f"{m['cost_usd']:,.0f} USD")
        for m in answer["months"]
    ]  # fmt: skip
    out.print(table("", _MONTHS, rows, _MONTHS))
    for file in answer["files"]:
        out.print(file, soft_wrap=True)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
