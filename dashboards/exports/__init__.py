"""Results into files that other tools read: Excel, Parquet and CSV. Knows no page and no command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dashboards.exports.about import about, site_digest
from dashboards.exports.content import case_table, headroom_tables, margin_table, tightest_elements, worst_margin_table
from dashboards.exports.excel import workbook_bytes
from dashboards.exports.tables import Field, Table, beside, csv_bytes, parquet_bytes, write_whole
from topology.errors import UsageError

FORMATS = (".xlsx", ".parquet", ".csv")


def format_of(path: Path) -> str:
    """Format of a file by the end of its name.

    Raises:
        UsageError: none of :data:`FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"{path} does not say its format; end the name in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return suffix


def write(path: Path, tables: Sequence[Table], origin: Mapping[str, str], chart: Table | None = None) -> tuple[Path, ...]:
    """Write tables to a file; its name says the format.

    Args:
        path: ``.xlsx`` holds all tables; of ``.parquet`` and ``.csv`` the first table has this name and each further one a name
            beside it, such as ``room-binding.csv``.
        tables: at least one.
        origin: what :func:`about` says.
        chart: drawn in a workbook; see :func:`dashboards.exports.excel.workbook_bytes`.

    Returns:
        The files written.

    Raises:
        UsageError: another format, or a place that cannot be written.
    """
    form = format_of(path)
    if form == ".xlsx":
        write_whole(path, workbook_bytes(tables, origin, chart))
        return (path,)
    files = beside(path, tables)
    for file, table in zip(files, tables, strict=True):
        write_whole(file, parquet_bytes(table, origin) if form == ".parquet" else csv_bytes(table))
    return files


__all__ = [
    "FORMATS", "Field", "Table", "about", "case_table", "csv_bytes", "format_of", "headroom_tables", "margin_table", "parquet_bytes",
    "site_digest", "tightest_elements", "workbook_bytes", "worst_margin_table", "write",
]  # fmt: skip
