"""Say which versions of the other programs are installed: JSON in, JSON out, as every script here."""

import json
import sys
from importlib.metadata import version

asked = json.load(sys.stdin)
json.dump({name: version(name) for name in asked["packages"]}, sys.stdout)
