"""Cold plates and what is measured around them: chip temperature against coolant and power, and what of it changed.

The model and its fit are those of calibration (:mod:`twin.forecast.calibrate.plate_model`): ``T = coolant + rise along the path + R(q) P``.
A plate that clogs shows as a residual in proportion to the power of the chip, a sensor that drifts as one that does not care for power;
where power hardly moves the two are one, and both are named. A constant that is wrong in the catalog, and alike in all racks of a SKU,
stands still and is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from telemetry.quality.doubt import Doubt
from twin.balance.change import changes_of
from twin.balance.said import Said, told
from twin.balance.samples import sample_times
from twin.forecast.calibrate.plate_model import ENOUGH, FEW, GROUP, MOST, PARAMETERS, fit_plates, metered_racks, plate_model, rack_loads
from twin.forecast.calibrate.seen import Seen

CANDIDATES: Mapping[str, Said] = MappingProxyType({s.parameter: s for s in (
    Said("plate_factor", "fouled_plate", "temp_c", "", 0.06,
         "its cold plates resist {size} more than they did: its accelerators are warmer at the same power and flow", "a fouled cold plate",
         rises=True),
    Said("branch_factor", "fouled_branch", "flow_m3_s", "", 0.10, "its branch resists the flow {size} {more} than it did",
         "a clogged branch", rises=True),
    Said("flow gain", "flow_drift", "flow_m3_s", "", 0.03, "its flow meter reads {size} {more} than it did at the same pressure",
         "its flow meter"),
    Said("bias", "drift", "temp_c", "", 1.5, "its accelerators read {size} {more} than coolant and power say, whatever the power",
         "its temperature sensors", "K"),
)})  # fmt: skip
"""What a change of each parameter of :data:`twin.forecast.calibrate.plate_model.PARAMETERS` is called."""


def plate_doubts(what: Seen) -> Iterator[Doubt]:
    """Changes of cold plates, branches and rack sensors over a window.

    Args:
        what: what telemetry shows of the plant.
    """
    racks, own = what.plant.racks, metered_racks(what)
    if not own.size:
        return
    enough = min(ENOUGH, max(MOST // racks.n, FEW))
    loads = rack_loads(what, enough)
    time = sample_times(what.time, what.step_s, loads.rack_w.shape[0])
    for a in range(0, own.size, GROUP):
        model = plate_model(what, own[a : a + GROUP], loads, enough)
        batch = fit_plates(model)
        found = changes_of(model.residuals, batch)
        for n in range(batch.settled.size):
            if batch.settled[n]:
                yield from told(racks.ids[model.rack[n]], "device", PARAMETERS, CANDIDATES, found, n, time, own.size)
