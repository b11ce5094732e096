"""Losses from datasheets and rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agreements import Agreements
from tests.twin.sites import catalog, small_site
from topology.errors import SiteError
from topology.losses import (
    DRY_TYPE_FRAC,
    RULE_LOAD_FRAC,
    SUPPLY_TITANIUM,
    UPS_ECO,
    fitted_loss,
    line_loss,
    reported_transformer_loss,
    transformer_loss,
    ups_loss,
)
from topology.models import PowerModel
from topology.plant import plant
from topology.power_axes import with_fitted_loss


def efficiency(loss: object, out_w: float) -> float:
    return out_w / (out_w + loss.at_w(out_w))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("rating_va", "wanted"), DRY_TYPE_FRAC.items())
def test_a_transformer_has_the_efficiency_of_the_rule_at_its_load_and_its_best_there(rating_va: float, wanted: float) -> None:
    loss = transformer_loss(rating_va, wanted)
    at = RULE_LOAD_FRAC * rating_va
    assert efficiency(loss, at) == pytest.approx(wanted, rel=1e-12)
    assert efficiency(loss, at) > max(efficiency(loss, 0.9 * at), efficiency(loss, 1.1 * at))


@pytest.mark.agreement
def test_the_double_conversion_curve(agreement: Agreements) -> None:
    """94.3, 96.4, 96.9 and 97.1 % at a quarter, half, three quarters and full load (APC White Paper 108, second hand)."""
    loss = ups_loss(1e6)
    apart = max(abs(efficiency(loss, x * 1e6) - eta) for x, eta in ((0.25, 0.943), (0.5, 0.964), (0.75, 0.969), (1.0, 0.971)))
    agreement("power", "efficiency of a double-conversion UPS", "APC White Paper 108 (by DC-OPS Facility)", apart, 6e-4)
    model = catalog().entries["power_model"]["ups-1000"]
    assert isinstance(model, PowerModel)
    assert (model.loss_fixed_w, model.loss_frac) == pytest.approx(loss[:2])
    assert efficiency(ups_loss(1e6, UPS_ECO), 5e5) > efficiency(loss, 5e5) + 0.02


@given(st.floats(0.0, 0.03), st.floats(0.0, 0.03), st.floats(0.001, 0.03))
def test_a_fit_gives_back_what_the_points_were_made_from(a: float, b: float, c: float) -> None:
    points = [(x, x / (x + a + b * x + c * x * x)) for x in (0.1, 0.25, 0.5, 0.75, 1.0)]
    loss = fitted_loss(2e5, points)
    for x, eta in points:
        assert efficiency(loss, x * 2e5) == pytest.approx(eta, abs=1e-9)


def test_a_floor_that_no_converter_follows_is_fitted_without_negative_parts() -> None:
    loss = fitted_loss(3e3, SUPPLY_TITANIUM)
    assert min(loss) >= 0.0
    assert efficiency(loss, 1.5e3) == pytest.approx(0.96, abs=0.02)
    for points in ([], [(0.0, 0.9)], [(0.5, 1.2)]):
        with pytest.raises(SiteError, match="cannot be fitted"):
            fitted_loss(3e3, points)


def test_a_test_report_and_a_line_by_hand() -> None:
    assert reported_transformer_loss(1e6, 1500.0, 9000.0).at_w(5e5) == pytest.approx(1500.0 + 9000.0 / 4.0)
    assert line_loss(1e-4, 30.0, 400.0).at_w(1e5) == pytest.approx(250.0**2 * 3e-3)
    assert line_loss(1e-4, 30.0, 400.0, spread=True).at_w(1e5) == pytest.approx(250.0**2 * 1e-3)


def test_a_model_may_give_efficiencies_instead_of_losses() -> None:
    base = catalog().entries["power_model"]["ups-1250"]
    assert isinstance(base, PowerModel)
    told = replace(
        base,
        loss_fixed_w=0.0,
        loss_frac=0.0,
        loss_quad_per_w=0.0,
        efficiency_load_frac=(0.25, 0.5, 1.0),
        efficiency_frac=(0.943, 0.964, 0.971),
    )
    site = small_site()
    site = site.with_(
        catalog=replace(catalog(), entries={**catalog().entries, "power_model": {**catalog().entries["power_model"], "ups-1250": told}})
    )
    power = plant(site).power
    k = power.ids.index("ups-a")
    loss = power.loss_fixed_w[k] + power.loss_frac[k] * 625e3 + power.loss_quad_per_w[k] * 625e3**2
    assert 625e3 / (625e3 + loss) == pytest.approx(0.964, abs=1e-3)
    assert np.isfinite(power.loss_fixed_w).all()
    with pytest.raises(SiteError, match="'ups-1250' needs a rating"):
        with_fitted_loss(replace(told, efficiency_frac=(0.9,)))
