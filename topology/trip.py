"""How a breaker, a relay or the overload class of a UPS is written down: stages, of which the quickest acts."""

from __future__ import annotations

from dataclasses import dataclass

from topology.columns import col


@dataclass(frozen=True, slots=True, kw_only=True)
class TripStage:
    """One mechanism that opens a breaker or takes a UPS off its inverter; the quickest of an element's stages acts.

    With m the current over the element's rating (before its continuous share), p the pickup:

    - ``thermal``: heat follows ``m^2`` with ``tau_s`` and trips at ``p^2``: ``t = tau ln((m^2 - m0^2) / (m^2 - p^2))`` after m0;
    - ``definite``: ``delay_s`` above p (magnetic part, short-time delay, overload class of a UPS);
    - ``inverse``: ``t = scale_s / ((m / p)^exponent - 1) + offset_s`` (IEEE C37.112, IEC 60255-151);
    - ``exponential``: ``t = scale_s exp(-decay (m - p)) + offset_s`` (electronic breakers of rack PDUs).
    """

    law: str = col("how it acts", choices=("thermal", "definite", "inverse", "exponential"))
    pickup: float = col("current over rating from which it may act", type="number", low=0.0, positive=True)
    pickup_late: float | None = col(
        "current over rating from which it surely acts; the pickup where empty", type="number", default=None, low=0.0
    )
    tau_s: float = col("thermal: time constant", unit="s", default=0.0)
    delay_s: float = col("definite: delay with clearing", unit="s", default=0.0)
    scale_s: float = col("inverse and exponential: scale of the time", unit="s", default=0.0)
    exponent: float = col("inverse: exponent", type="number", default=2.0, low=0.0)
    decay: float = col("exponential: fall for each multiple of the rating", type="number", default=0.0, low=0.0)
    offset_s: float = col("inverse and exponential: time that is added", unit="s", default=0.0, low=-1e6)
    reset_s: float = col("time in which the memory of an overload fades, not of a thermal stage; 0: at once", unit="s", default=0.0)
    early_frac: float = col("share by which it may act earlier", unit="frac", default=0.0, high=0.99)
    late_frac: float = col("share by which it may act later", unit="frac", default=0.0)
