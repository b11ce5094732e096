"""An S3 server on a free port of this machine, which it prints: ``s3_server.py [refuses]``.

With ``refuses`` it answers conditional puts as servers do that do not have them: 501, not implemented.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

REFUSES = "refuses" in sys.argv[1:]
MOTO = DomainDispatcherApplication(create_backend_app)
ANSWER = b"<Error><Code>NotImplemented</Code><Message>A header you provided is not implemented</Message></Error>"


def front(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    if REFUSES and "HTTP_IF_NONE_MATCH" in environ:
        start("501 Not Implemented", [("Content-Type", "application/xml")])
        return [ANSWER]
    found: Iterable[bytes] = MOTO(environ, start)
    return found


server = make_server("127.0.0.1", 0, front, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
