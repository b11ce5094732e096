"""Which element and part a row belongs to, resolved once for each distinct combination of its key columns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from telemetry.coding import UNKNOWN, combinations
from telemetry.schema import SITE
from telemetry.vendor import Vendor
from topology.site import Site

_LEVEL_OF_KIND: Mapping[str, str] = {
    "rack": "rack", "meter": "rack", "position": "rack", "row": "pdu", "ups": "ups", "pdu": "pdu", "busway": "pdu", "breaker": "pdu",
    "cdu": "cdu", "pump": "cdu", "loop": "loop", "manifold": "loop",
}  # fmt: skip


def coded(codes: np.ndarray, texts: Collection[str]) -> pa.DictionaryArray:
    """Codes (n,), each of which has a text, as an Arrow dictionary array."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False)), pa.array(texts, pa.string()), safe=False)


class Vocabulary:
    """Texts numbered in order of first sight."""

    def __init__(self, texts: Collection[str] = ()) -> None:
        self.texts: list[str] = []
        self._codes: dict[str, int] = {}
        for text in texts:
            self.code(text)

    def code(self, text: str) -> int:
        """Number of a text, a new one where it has none yet."""
        found = self._codes.get(text)
        if found is None:
            found = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return found

    def find(self, text: str) -> int:
        """Number of a text, -1 where it has none."""
        return self._codes.get(text, UNKNOWN)

    def arrow(self, codes: np.ndarray) -> pa.DictionaryArray:
        """Codes (n,) as an Arrow dictionary array."""
        return coded(codes, self.texts)


def level_of(site: Site, element: str) -> str:
    """Level that a meter of an element measures at, by the element's kind; ``utility`` for the site and what stands before the UPS."""
    return "utility" if element == SITE else _LEVEL_OF_KIND.get(site.kind_of(element), "utility")


class Identities:
    """Resolves the key columns of one file to elements of the site.

    An element is known by its exact id, else by the first pattern of the mapping whose group ``element`` is an id of the site.

    A place is a pair of element and part, numbered in order of first sight.

    Attributes:
        elements: vocabulary of element ids met.
        parts: vocabulary of parts met; code 0 is the element as a whole.
        pairs: (code of the element, code of the part) of each place.
    """

    def __init__(self, vendor: Vendor, site: Site) -> None:
        self.vendor, self.site = vendor, site
        self.elements, self.parts = Vocabulary(), Vocabulary([""])
        self.pairs: list[tuple[int, int]] = []
        self._places: dict[tuple[int, int], int] = {}
        self._patterns = [re.compile(p) for p in vendor.patterns]
        self._seen: dict[tuple[str | None, ...], int] = {}

    def place(self, element: str, part: str) -> int:
        """Number of a place; -1 where the site has no such element."""
        if not self.known(element):
            return UNKNOWN
        pair = self.elements.code(element), self.parts.code(part)
        found = self._places.get(pair)
        if found is None:
            found = self._places[pair] = len(self.pairs)
            self.pairs.append(pair)
        return found

    def find(self, element: str, part: str) -> int:
        """Number of a place that was met before, else -1."""
        return self._places.get((self.elements.find(element), self.parts.find(part)), UNKNOWN)

    def codes(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Element codes and part codes (n,) of places that are known."""
        pairs = np.array(self.pairs, np.int32).reshape(-1, 2)
        return pairs[place, 0], pairs[place, 1]

    def known(self, element: str) -> bool:
        """Whether an id is an element of the site, or the site itself."""
        return element == SITE or element in self.site.elements

    def resolve(self, batch: pa.RecordBatch, keys: Mapping[str, str]) -> np.ndarray:
        """Places of the rows of a batch (n,), -1 where the site has no such element.

        Args:
            batch: rows of the file.
            keys: key of the mapping -> column of the batch.
        """
        rows, found = combinations([batch.column(c) for c in keys.values()])
        places: np.ndarray = np.array([self._place_of(keys, c) for c in found], np.int64)[rows]
        return places

    def _place_of(self, keys: Mapping[str, str], combination: tuple[str | None, ...]) -> int:
        found = self._seen.get(combination)
        if found is None:
            found = self._seen[combination] = self._find(dict(zip(keys, combination, strict=True)))
        return found

    def _find(self, texts: dict[str, str | None]) -> int:
        keys = (self.vendor.element_key, *self.vendor.otherwise)
        groups = next((g for k in keys if (raw := texts.get(k)) and (g := self._match(raw)) is not None), None)
        if groups is None:
            return UNKNOWN
        fields = defaultdict(str, {**{k: "" if t is None or t in self.vendor.absent else t for k, t in texts.items()}, **groups})
        part = re.sub(r"-{2,}", "-", self.vendor.part_format.format_map(fields)).strip("-")
        return self.place(groups["element"], part)

    def _match(self, raw: str) -> dict[str, str] | None:
        if self.known(raw):
            return {"element": raw}
        for pattern in self._patterns:
            match = pattern.fullmatch(raw)
            if match is not None and self.known(match["element"]):
                return {k: v or "" for k, v in match.groupdict().items()}
        return None
