"""Small tools with which the axes of a plant are made: arrays of one type, read-only, and names to indices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from topology.axes import Axis, Floats, Ints

A = TypeVar("A", bound=Axis)
V = TypeVar("V")


def freeze(axis: A) -> A:
    """Make every array of an axis read-only."""
    for f in dataclasses.fields(axis):
        value = getattr(axis, f.name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return axis


def floats(values: Sequence[Any]) -> Floats:
    """An array of numbers."""
    return np.asarray(values, dtype=np.float64)


def ints(values: Sequence[Any]) -> Ints:
    """An array of indices."""
    return np.asarray(values, dtype=np.int64)


def lookup(ids: Sequence[str]) -> Callable[[str], int]:
    """Index of an id, -1 where it is not there."""
    table = {name: k for k, name in enumerate(ids)}
    return lambda name: table.get(name, -1)


def given(value: V | None, otherwise: V) -> V:
    """A value, or another where it is ``None``.

    Args:
        value: a value, or nothing.
        otherwise: what stands for nothing.
    """
    return otherwise if value is None else value
