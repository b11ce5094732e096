from __future__ import annotations

import pytest

from tests.telemetry.small import small_site
from topology.site import Site


@pytest.fixture
def site() -> Site:
    return small_site()
