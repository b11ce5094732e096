"""Counterflow effectiveness by ht: heat of exchangers from UA, capacity rates and inlets."""

import json
import sys

from ht import effectiveness_NTU_method

asked = json.load(sys.stdin)
heats = [
    effectiveness_NTU_method(
        mh=case["hot_w_k"],
        mc=case["cold_w_k"],
        Cph=1.0,
        Cpc=1.0,
        subtype="counterflow",
        UA=case["ua_w_k"],
        Thi=case["hot_in_c"],
        Tci=case["cold_in_c"],
    )["Q"]
    for case in asked["cases"]
]
json.dump({"heat_w": heats}, sys.stdout)
