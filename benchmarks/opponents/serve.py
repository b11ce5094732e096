"""The peers' side of the conversation: arguments as the first line, one JSON line when ready and one a request.

Runs in the peers' environment; nothing of this project is imported there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(set_up: Callable[..., tuple[str, Callable[[], dict[str, Any]]]]) -> None:
    """Set up, then work at every line of standard input until it ends.

    Args:
        set_up: takes the arguments; returns the peer's name with its version, and the work, which returns its ``seconds``.
    """
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a library that prints must not break the conversation

    def say(answer: dict[str, Any]) -> None:
        channel.write(json.dumps(answer) + "\n")
        channel.flush()

    name, work = set_up(**json.loads(sys.stdin.readline()))
    say({"name": name})
    for _ in sys.stdin:
        say(work())
