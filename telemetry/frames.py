"""The front door of this house: the store's readings as arrays on fixed axes, gaps as NaN.

:func:`frames` gives any quantity of any elements, :func:`rack_power` the power of every rack of a site from whatever meters
there are; :func:`telemetry.replay.replay` goes through a window of them chunk by chunk.
"""

from telemetry.bins import Window
from telemetry.dense import Frames, counter_power, frames, span, window
from telemetry.rackpower import RackPower, rack_power

__all__ = ["Frames", "RackPower", "Window", "counter_power", "frames", "rack_power", "span", "window"]
