"""What a page is: a path, a layout made from the query of its URL, and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from dash import Dash

from dashboards.jobs import Jobs
from dashboards.session import Session

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console.

    Attributes:
        path: path of its URL.
        title: name in the navigation.
        icon: name of its icon in the assets.
        layout: called with the session and the query of the URL.
        register: adds its callbacks to the app. What a user sets ends in a ``dcc.Store`` named ``<icon>-query``, from which the
            address bar is kept up to date.
    """

    path: str
    title: str
    icon: str
    layout: Callable[[Session, Query], Any]
    register: Callable[[Dash, Session, Jobs], None]


def read_query(search: str | None) -> Query:
    """Parameters of a URL; the last one of a name wins.

    >>> read_query("?u=80&out=cdu-1")
    {'u': '80', 'out': 'cdu-1'}
    """
    return dict(parse_qsl((search or "").lstrip("?")))


def write_query(values: Mapping[str, object]) -> str:
    """A query of a URL; what is ``None`` or empty is left out.

    >>> write_query({"u": 80, "out": "", "at": None})
    '?u=80'
    """
    kept = {k: str(v) for k, v in values.items() if v not in (None, "", ())}
    return "?" + urlencode(kept, safe=",:") if kept else ""
