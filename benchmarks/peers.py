"""Peers in their own environment: one process each, which sets up once and then does its work at every asking."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


def peers_python() -> Path | None:
    """Interpreter of the peers' environment, ``None`` where it was not made."""
    path = Path(os.environ.get("RACKTWIN_PEERS", ROOT / ".venv-peers")) / "bin" / "python"
    return path if path.is_file() else None


class Peer:
    """One opponent; use it as a context.

    The process writes one JSON line when it is set up, and one for every line that it is sent: ``seconds`` of one unit of
    work, and whatever else it has to say.
    """

    def __init__(self, script: str, **arguments: Any) -> None:
        self._script, self._arguments = script, arguments
        self._process: subprocess.Popen[str] | None = None
        self.name = script
        self.last: dict[str, Any] = {}

    def __enter__(self) -> Peer:
        python = peers_python()
        if python is None:
            raise FileNotFoundError("the peers are not installed: make peers")
        command = [str(python), str(ROOT / "benchmarks" / "opponents" / f"{self._script}.py")]
        environment = {**os.environ, **ONE_THREAD}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._send(json.dumps(self._arguments))
        self.name = str(self._read()["name"])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(60)
            self._process.stdout.close()
            self._process = None

    def ask(self) -> float:
        """Let it do its work once; seconds of one unit of it."""
        self._send("go")
        self.last = self._read()
        return float(self.last["seconds"])

    def _send(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {self._script} stopped with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
