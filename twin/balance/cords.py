"""Cords whose meters are labelled the wrong way round: a test over both feeds of a rack.

With readings ``A`` and ``B`` of a rack's cords, ``s = A / (A + B)`` is its share on cord A. Exchanged labels turn ``s`` into ``1 - s``.

*Since a time.* The share jumps onto its mirror image (:func:`mirrored`). The rack may really have moved its load from one feed to the
other; then the meters of both feeds move with it. Over the two feeds,

    D(t) = (F_a - sum A_i) / 2 - (F_b - sum B_i) / 2

is what feeds read beyond the cords on them: it stays where the load moved, and moves by ``A_true - B_true`` where only labels did. The two
predictions of its change are held against it by their squares. Without meters on both feeds the change is told with that reservation.

*From the first day on.* The share that the site declares is known within a few per cent (prior of ``share_factor``,
:mod:`twin.forecast.calibrate.constants`). A rack that is declared off one half, reads far from it and near its mirror image is exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from telemetry.quality.doubt import Doubt
from topology.axes import Floats
from twin.balance.samples import Samples, of_window
from twin.forecast.calibrate.constants import PRIORS
from twin.forecast.calibrate.seen import Seen
from twin.forecast.calibrate.series import MAD_TO_DEVIATION

LEAST = 0.008
"""Smallest distance of a share from one half that can be told from its mirror image: twice what two class 1 meters may differ by."""
ALIKE = 0.35
"""Largest distance of the new share from the mirror image of the old one, over its jump."""
JUMP_Z = 8.0
"""Robust standard deviations of the mean share, before and after, by which it jumps."""
FAR_Z, NEAR_Z = 5.0, 2.5
"""Standard deviations of the prior of a share: farther from declared than the first and nearer to its mirror image than the second."""
SHORTEST = 6
"""Samples on either side of a jump."""
QUANTITY, LEVEL = "power_w", "pdu"


@dataclass(frozen=True)
class Jump:
    """A jump of a share.

    Attributes:
        at: first sample after it.
        before_frac: share before.
        after_frac: share after.
        z: robust standard deviations between both.
    """

    at: int
    before_frac: float
    after_frac: float
    z: float


def cord_doubts(what: Seen) -> Iterator[Doubt]:
    """Racks whose cords are labelled the wrong way round.

    Args:
        what: what telemetry shows of the plant.
    """
    a, b = what.of("cord A power"), what.of("cord B power")
    if a is None or b is None:
        return
    cut = of_window(what)
    a, b = cut.mean(a), cut.mean(b)
    racks = what.plant.racks
    for r in np.flatnonzero(racks.drawing & (racks.feed >= 0).all(axis=1)).tolist():
        total = a[:, r] + b[:, r]
        share = np.divide(a[:, r], total, out=np.full(total.shape, np.nan), where=total > 0.0)
        jump = mirrored(share)
        if jump is not None:
            said = _feeds(what, cut, a, b, r, jump)
            if said:
                jumped = f"its share on cord A jumps from {jump.before_frac:.1%} to {jump.after_frac:.1%}, its mirror image"
                yield _doubt(cut, racks.ids[r], jump.at, f"{jumped}: {said}")
            continue
        declared, seen = float(racks.share_a_frac[r]), float(np.nanmedian(share)) if np.isfinite(share).any() else np.nan
        if exchanged(declared, seen):
            yield _doubt(cut, racks.ids[r], 0, f"cord A carries {seen:.1%} of its load and the site declares {declared:.1%}, its mirror "
                         "image: the labels of cords A and B are exchanged")  # fmt: skip


def _doubt(cut: Samples, rack: str, first: int, reason: str) -> Doubt:
    return cut.doubt(rack, "", QUANTITY, LEVEL, "swapped_cords", 1.0, reason, first)


def mirrored(share: Floats) -> Jump | None:
    """The jump of a share (S,) onto its mirror image, ``None`` where there is none.

    >>> mirrored(np.r_[np.full(20, 0.53), np.full(20, 0.47)] + 1e-4 * np.arange(40) % 3e-4).at
    20
    """
    known = np.flatnonzero(np.isfinite(share))
    if known.size < 2 * SHORTEST:
        return None
    s = share[known]
    n = np.arange(1, s.size)
    left = np.cumsum(s)[:-1] / n
    right = (s.sum() - np.cumsum(s)[:-1]) / (s.size - n)
    gain = np.where((n >= SHORTEST) & (s.size - n >= SHORTEST), (left - right) ** 2 * n * (s.size - n), 0.0)
    at = int(gain.argmax()) + 1
    before, after = float(np.median(s[:at])), float(np.median(s[at:]))
    steps = np.r_[s[:at] - before, s[at:] - after]
    wide = MAD_TO_DEVIATION * float(np.median(np.abs(steps)))
    z = abs(after - before) / max(wide, 1e-9)
    off = abs(before + after - 1.0)
    apart = min(abs(before - 0.5), abs(after - 0.5))
    sure = z * np.sqrt(min(at, s.size - at)) >= JUMP_Z * np.sqrt(SHORTEST) and z >= 2.0
    if apart < LEAST or not sure or off > ALIKE * abs(after - before) or (before - 0.5) * (after - 0.5) > 0.0:
        return None
    return Jump(int(known[at]), before, after, z)


def exchanged(declared_frac: float, seen_frac: float) -> bool:
    """Whether a share as read is the mirror image of the declared one.

    >>> exchanged(0.6, 0.41), exchanged(0.6, 0.58), exchanged(0.5, 0.46)
    (True, False, False)
    """
    if not (0.0 < declared_frac < 1.0 and 0.0 < seen_frac < 1.0):
        return False
    prior = PRIORS["share_factor"]
    return abs(prior.z(seen_frac / declared_frac)) > FAR_Z and abs(prior.z((1.0 - seen_frac) / declared_frac)) < NEAR_Z


def _feeds(what: Seen, cut: Samples, a: Floats, b: Floats, rack: int, jump: Jump) -> str:
    """What the meters of both feeds say of a jump: the end of a sentence, or nothing where the load really moved."""
    alone = "the labels of cords A and B are exchanged, or its load has moved from one feed to the other (their meters do not tell)"
    read = what.of("feed power")
    if read is None:
        return alone
    racks = what.plant.racks
    fed = cut.mean(read)
    over = []
    for side, cords in ((0, a), (1, b)):
        feed = int(racks.feed[rack, side])
        on = np.flatnonzero(racks.feed[:, side] == feed)
        other = np.flatnonzero((racks.feed[:, 1 - side] == feed) & (racks.feed[:, side] != feed))
        hung = cords[:, on].sum(axis=1) + (b if side == 0 else a)[:, other].sum(axis=1)
        over.append(fed[:, feed] - hung)
    d = 0.5 * (over[0] - over[1])
    around = slice(max(jump.at - _AROUND, 0), jump.at + _AROUND)
    before, after = d[around.start : jump.at], d[jump.at : around.stop]
    if np.isfinite(before).sum() < SHORTEST or np.isfinite(after).sum() < SHORTEST:
        return alone
    moved = float(np.nanmean(after) - np.nanmean(before))
    noise = float(np.hypot(np.nanstd(before) / np.sqrt(np.isfinite(before).sum()), np.nanstd(after) / np.sqrt(np.isfinite(after).sum())))
    expected = (jump.before_frac - jump.after_frac) * float(np.nanmean(a[jump.at : around.stop, rack] + b[jump.at : around.stop, rack]))
    if abs(expected) < _TELLS * noise:
        return alone
    if abs(moved - expected) < abs(moved):
        return "the meters of both feeds did not move with it, so the labels of cords A and B are exchanged"
    return ""


_AROUND = 96
_TELLS = 4.0
