"""Many fits at once: each is what one fit alone gives, and intervals hold what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from topology.axes import Floats, Ints
from twin.forecast.calibrate.batch import Batch, calibrate_many
from twin.forecast.calibrate.fit import Block, Calibration, calibrate
from twin.forecast.calibrate.priors import Prior

SCALE = Prior("scale", 1.0, (0.6, 1.0 / 0.6), "test", log=True)
RATE = Prior("rate", 0.5, (0.3, 0.7), "test", bounds=(0.1, 0.9))
OFFSET = Prior("offset", 0.0, (-0.2, 0.2), "test")
GAIN = Prior("gain", 1.0, (0.9, 1.1), "test")
PRIORS = (SCALE, RATE, OFFSET, GAIN)
X = np.linspace(0.0, 4.0, 120)


def law(v: Mapping[str, Floats] | dict[str, float]) -> tuple[Floats, Floats]:
    """A curve with scale and gain only as a product, and a second channel that shows the offset on top."""
    return np.asarray(v["gain"] * v["scale"] * np.exp(-v["rate"] * X)), np.asarray(v["offset"] + 0.1 * v["rate"] * X)


def drawn(n: int, seed: int) -> tuple[dict[str, Floats], Floats, Floats]:
    rng = np.random.default_rng(seed)
    truth = {p.name: np.asarray([p.at(z) for z in rng.standard_normal(n)])[:, None] for p in PRIORS}
    truth["rate"] = np.clip(truth["rate"], 0.15, 0.85)
    one, two = law(truth)
    return truth, one + rng.normal(0.0, 0.02, one.shape), two + rng.normal(0.0, 0.1, two.shape)


def batch(one: Floats, two: Floats) -> Batch:
    def model(v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        a, b = law(v)
        return [Block("one", a - one[own], 0.05), Block("two", b - two[own], 0.05)]

    return calibrate_many(model, PRIORS, one.shape[0])


def single(one: Floats, two: Floats) -> Calibration:
    def model(v: dict[str, float]) -> Sequence[Block]:
        a, b = law(v)
        return [Block("one", a - one, 0.05), Block("two", b - two, 0.05)]

    return calibrate(model, PRIORS)


def test_each_element_is_what_one_fit_alone_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    _, one, two = drawn(6, 1)
    one[1, 30:70] = np.nan
    two[2] = np.nan
    one[3], two[3] = np.nan, np.nan
    monkeypatch.setattr("twin.forecast.calibrate.batch.PART", 2 * 240 * 4)  # two elements a part
    many = batch(one, two)
    for e in range(6):
        alone = single(one[e], two[e])
        for name, f in many.fitted(e).items():
            own = alone.fitted[name]
            assert f.identifiable == own.identifiable, (e, name)
            assert (f.value, *f.interval) == pytest.approx((own.value, *own.interval), abs=2e-4), (e, name)
        assert many.covariance[e] == pytest.approx(alone.covariance, abs=2e-3)
        assert many.samples[e] == alone.samples
        assert all(many.noise[n][e] == pytest.approx(alone.noise[n], rel=1e-3) for n in alone.noise)
    assert not many.told[3].any() and not many.told[2, 2], "what nothing shows keeps its prior"


def test_intervals_hold_their_share_of_hidden_values() -> None:
    truth, one, two = drawn(600, 2)
    many = batch(one, two)
    told = [0, 0]
    for k, p in enumerate(PRIORS):
        inside = (many.low[:, k] <= truth[p.name][:, 0]) & (truth[p.name][:, 0] <= many.high[:, k])
        told[0] += int(inside[many.told[:, k]].sum())
        told[1] += int(many.told[:, k].sum())
        assert 0.86 <= inside.mean() <= 0.94, (p.name, inside.mean())
    assert told[1] > 1200 and 0.88 <= told[0] / told[1] <= 0.92


def test_what_shows_only_as_a_product_is_in_the_interval_of_the_one_that_took_it() -> None:
    """Of ``a`` and ``b`` one keeps its prior; what it may be off by is in the interval of the other."""
    rng = np.random.default_rng(3)
    a, b = Prior("a", 0.0, (-1.0, 1.0), "test"), Prior("b", 0.0, (-1.0, 1.0), "test")
    hidden = rng.normal(0.0, a.deviation, (2000, 2))
    y = hidden.sum(axis=1)[:, None] + rng.normal(0.0, 0.1, (2000, 30))
    many = calibrate_many(lambda v, own: [Block("y", v["a"] + v["b"] - y[own], 0.1)], [a, b], 2000)
    assert (many.told.sum(axis=1) == 1).all()
    k = int(np.flatnonzero(many.told[0])[0])
    inside = (many.low[:, k] <= hidden[:, k]) & (hidden[:, k] <= many.high[:, k])
    assert 0.88 <= inside.mean() <= 0.92
    total, deviation = many.contrast(np.ones(2))
    assert deviation.max() < 0.1, "their sum is sure"
    assert np.abs(total * a.deviation - hidden.sum(axis=1)).max() < 0.1


def test_derivatives_that_the_model_gives_are_used() -> None:
    rng = np.random.default_rng(4)
    slope = Prior("slope", 1.0, (0.5, 2.0), "test", log=True)
    y = rng.uniform(0.8, 1.5, (5, 1)) * X + rng.normal(0.0, 0.1, (5, X.size))

    def model(v: Mapping[str, Floats], own: Ints) -> Sequence[Block]:
        return [Block("y", v["slope"] * X - y[own], 0.1)]

    calls: list[int] = []

    def slopes(v: Mapping[str, Floats], own: Ints, blocks: Sequence[Block]) -> list[Floats]:
        calls.append(own.size)
        return [np.broadcast_to(X, (own.size, 1, X.size))]

    given, numeric = calibrate_many(model, [slope], 5, slopes), calibrate_many(model, [slope], 5)
    assert calls and given.value == pytest.approx(numeric.value, abs=1e-6) and given.low == pytest.approx(numeric.low, rel=1e-4)


def test_bounds_hold_and_no_elements_are_no_fits() -> None:
    many = calibrate_many(lambda v, own: [Block("y", (v["rate"] - 3.0) * X + 0.0 * own[:, None], 0.1)], [RATE], 2, passes=0)
    assert many.value == pytest.approx(0.9) and (many.high <= 0.9).all()
    assert calibrate_many(lambda v, own: [Block("y", (v["rate"] - 3.0) * X + 0.0 * own[:, None], 0.1)], [RATE], 0).value.shape == (0, 1)
