"""Constants that many elements share beside constants of each: against dense algebra, and as often right as it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from topology.axes import Floats, Ints
from twin.forecast.calibrate.fit import Block, calibrate
from twin.forecast.calibrate.nested import Model, calibrate_nested
from twin.forecast.calibrate.priors import Prior

LEVEL = Prior("level", 1.0, (0.7, 1.0 / 0.7), "test", log=True)
SLOPE = Prior("slope", 0.0, (-2.0, 2.0), "test")
OWN = Prior("own", 1.0, (0.9, 1.0 / 0.9), "test", log=True)
METER = Prior("meter", 1.0, (0.99, 1.01), "test")
X = np.linspace(-1.0, 1.0, 15)


def curve(level: Floats | float, slope: Floats | float, own: Floats | float) -> Floats:
    return np.asarray(own * (level + slope * X))


def noisy(elements: int, seed: int, level: float = 1.1, slope: float = 0.4, spread: float = OWN.deviation) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    own = np.exp(rng.normal(0.0, spread, (elements, 1)))
    return own[:, 0], curve(level, slope, own) + rng.normal(0.0, 0.02, (elements, X.size))


def model_of(read: Floats) -> Model:
    def model(shared: Mapping[str, Floats], own: Mapping[str, Floats], who: Ints) -> Sequence[Block]:
        return [Block("y", curve(shared["level"], shared["slope"], own["own"]) - read[who], 0.02)]

    return model


def test_it_agrees_with_the_fit_of_one_problem() -> None:
    """The same few elements with every parameter in one ordinary fit."""
    _, read = noisy(4, 0)

    def dense(v: dict[str, float]) -> Sequence[Block]:
        return [Block("y", np.concatenate([curve(v["level"], v["slope"], v[f"own {k}"]) - read[k] for k in range(4)]), 0.02)]

    one = calibrate(dense, (LEVEL, SLOPE, *(Prior(f"own {k}", 1.0, OWN.interval, "", log=True) for k in range(4))))
    many = calibrate_nested(model_of(read), (LEVEL, SLOPE), (OWN,), 4)
    for name in ("level", "slope"):
        assert many.shared[name].value == pytest.approx(one.fitted[name].value, rel=2e-3)
        wide = [f[1] - f[0] for f in (many.shared[name].interval, one.fitted[name].interval)]
        assert wide[0] == pytest.approx(wide[1], rel=0.15)
    for k in range(4):
        assert many.own[0].at(float(many.z[k, 0])) == pytest.approx(one.fitted[f"own {k}"].value, rel=2e-3)


def test_shared_constants_are_inside_their_intervals_nine_times_in_ten() -> None:
    inside = []
    for seed in range(150):
        rng = np.random.default_rng(1000 + seed)
        level, slope = LEVEL.at(float(rng.normal())), SLOPE.at(float(rng.normal()))
        _, read = noisy(12, seed, level, slope)
        fit = calibrate_nested(model_of(read), (LEVEL, SLOPE), (OWN,), 12, ("own",))
        inside += [f.interval[0] <= true <= f.interval[1] for f, true in zip(fit.shared.values(), (level, slope), strict=True)]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.045)


def test_elements_are_inside_their_intervals_nine_times_in_ten() -> None:
    inside = []
    for seed in range(40):
        own, read = noisy(12, seed)
        fit = calibrate_nested(model_of(read), (LEVEL, SLOPE), (OWN,), 12, ("own",))
        found = [fit.fitted("own", n, OWN) for n in range(12)]
        inside += [f.interval[0] <= true <= f.interval[1] for f, true in zip(found, own, strict=True) if f.identifiable]
    assert len(inside) > 300
    assert np.mean(inside) == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("spread", [0.02, 0.15])
def test_the_spread_of_elements_is_estimated(spread: float) -> None:
    _, read = noisy(300, 1, spread=spread)
    fit = calibrate_nested(model_of(read), (LEVEL, SLOPE), (OWN,), 300, ("own",))
    assert fit.own[0].deviation == pytest.approx(spread, rel=0.15)
    assert calibrate_nested(model_of(read), (LEVEL, SLOPE), (OWN,), 300).own[0].deviation == OWN.deviation


def test_of_two_constants_that_only_show_as_a_product_neither_is_surer_than_the_other_allows() -> None:
    _, read = noisy(30, 2)

    def model(shared: Mapping[str, Floats], own: Mapping[str, Floats], who: Ints) -> Sequence[Block]:
        return [Block("y", own["meter"] * curve(shared["level"], shared["slope"], own["own"]) - read[who], 0.02)]

    fit = calibrate_nested(model, (LEVEL, SLOPE), (OWN, METER), 30)
    found = [fit.fitted("meter", n, METER) for n in range(30)]
    assert not any(f.identifiable for f in found) and found[0].interval == METER.interval
    assert (fit.deviation[:, 0] * OWN.deviation > 0.9 * METER.deviation).all()


def test_a_shared_constant_that_no_element_tells_keeps_its_prior() -> None:
    _, read = noisy(10, 3)
    idle = Prior("idle", 2.0, (1.0, 3.0), "test")

    def model(shared: Mapping[str, Floats], own: Mapping[str, Floats], who: Ints) -> Sequence[Block]:
        return model_of(read)(shared, own, who)

    fit = calibrate_nested(model, (LEVEL, SLOPE, idle), (OWN,), 10)
    assert not fit.shared["idle"].identifiable
    assert (fit.shared["idle"].value, fit.shared["idle"].interval) == (2.0, (1.0, 3.0))
    assert fit.shared["slope"].identifiable


def test_gaps_count_for_nothing() -> None:
    _, read = noisy(6, 4)
    gaps = read.copy()
    gaps[2, 5:] = np.nan
    fit = calibrate_nested(model_of(gaps), (LEVEL, SLOPE), (OWN,), 6)
    assert fit.samples.tolist() == [15, 15, 5, 15, 15, 15]
    assert fit.deviation[2, 0] > fit.deviation[0, 0]
