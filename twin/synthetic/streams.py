"""Random numbers by name: everything of one synthetic plant comes from one seed, and a new stream leaves the others as they are."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *name: object) -> np.random.Generator:
    """The stream of a name, a child of the seed's sequence.

    The key is what :meth:`numpy.random.SeedSequence.spawn` gives its children, with the checksum of the name instead of a running number.

    >>> float(stream(1, "a").random()) == float(stream(1, "a").random()) != float(stream(1, "b").random())
    True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(zlib.crc32(str(n).encode()) for n in name)))
