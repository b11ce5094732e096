"""Effectiveness of cross flow, both streams unmixed, by ht: the correlation and the exact series."""

import json
import sys

from ht import effectiveness_from_NTU

asked = json.load(sys.stdin)
found = {
    name: [effectiveness_from_NTU(NTU=ntu, Cr=z, subtype=subtype) for ntu, z in asked["points"]]
    for name, subtype in (("approximate", "crossflow approximate"), ("exact", "crossflow"))
}
json.dump({"effectiveness": found}, sys.stdout)
