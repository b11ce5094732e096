"""Darcy friction factors by the library fluids: JSON in, JSON out."""

import json
import sys

import fluids
from fluids.friction import Colebrook, Haaland, Swamee_Jain_1976

asked = json.load(sys.stdin)
points = list(zip(asked["reynolds"], asked["rough"], strict=True))
answer = {
    "name": f"fluids {fluids.__version__}",
    "colebrook": [float(Colebrook(re, rough)) for re, rough in points],
    "haaland": [float(Haaland(re, rough)) for re, rough in points],
    "swamee_jain": [float(Swamee_Jain_1976(re, rough)) for re, rough in points],
}
json.dump(answer, sys.stdout)
