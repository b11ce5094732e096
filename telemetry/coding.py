"""Text columns as codes, and rows by the distinct combinations of their texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

UNKNOWN = -1
_DENSE = 1 << 22


def texts_of(column: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Codes (n,) and distinct texts of a column of any type; -1 for null.

    >>> codes, texts = texts_of(pa.array(["b", None, "b", "a"]))
    >>> codes.tolist(), texts
    ([0, -1, 0, 1], ['b', 'a'])
    """
    if not pa.types.is_dictionary(column.type):
        if not pa.types.is_string(column.type):
            column = column.cast(pa.string())
        column = column.dictionary_encode()
    codes = column.indices.cast(pa.int64()).fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    return codes, ["" if t is None else str(t) for t in column.dictionary.to_pylist()]


def combinations(columns: Sequence[pa.Array]) -> tuple[np.ndarray, list[tuple[str | None, ...]]]:
    """Rows by the distinct combinations of several text columns.

    Args:
        columns: columns of one length n, at least one.

    Returns:
        Number of each row's combination (n,), and the combinations; ``None`` for null.

    >>> rows, found = combinations([pa.array(["a", "a", "b"]), pa.array([1, 2, 1])])
    >>> rows.tolist(), found
    ([0, 1, 2], [('a', '1'), ('a', '2'), ('b', '1')])
    """
    coded = [texts_of(c) for c in columns]
    mixed = np.zeros(len(columns[0]), np.int64)
    for codes, texts in coded:
        mixed = mixed * (len(texts) + 1) + codes + 1
    total = float(np.prod([len(t) + 1.0 for _, t in coded]))
    if total <= _DENSE:
        used = np.flatnonzero(np.bincount(mixed, minlength=int(total)))
        lookup = np.zeros(int(total), np.int64)
        lookup[used] = np.arange(len(used))
        rows = lookup[mixed]
    else:
        used, rows = np.unique(mixed, return_inverse=True)
    return rows, [_unmix(int(m), [t for _, t in coded]) for m in used]


def _unmix(mixed: int, texts: list[list[str]]) -> tuple[str | None, ...]:
    found: list[str | None] = []
    for names in reversed(texts):
        mixed, code = divmod(mixed, len(names) + 1)
        found.append(names[code - 1] if code else None)
    return tuple(reversed(found))
