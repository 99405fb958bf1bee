"""Requests counted on the wire: a server between the clients and the emulator, which sees what every library asks of S3."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lambdas import clients


@contextmanager
def counted(endpoint: str, patch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Let clients that are made meanwhile go through the server; count ``LIST``, ``GET`` and ``PUT``, as S3 prices requests."""
    counts: Counter[str] = Counter()

    class Between(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "x-amz-target" not in self.headers:  # the other services' requests have one
                is_list = "list-type=2" in self.path
                counts["LIST" if is_list else "GET" if self.command in ("GET", "HEAD") else "PUT"] += 1
            connection = http.client.HTTPConnection(endpoint.rpartition("://")[2])
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with patch.context() as patched:
            patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
            clients.client.cache_clear()
            yield counts
    finally:
        clients.client.cache_clear()
        server.shutdown()
        server.server_close()
        thread.join()
