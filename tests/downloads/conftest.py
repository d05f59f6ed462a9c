"""A web server on this machine that misbehaves on demand."""

import http.server
import threading

import pytest

from ehsod_tf.downloads import transfer


class Server:
    """What is served, how, and what was asked for.

    Attributes:
        files: content by path, "/a.zip" and the like.
        cuts: for each coming request, after how many bytes the connection breaks; a
            request beyond the list is served to its end.
        has_ranges: False ignores the Range header.
        status: answer every request with this status.
        requests: (path, Range header or None, bytes sent) of every request so far.
    """

    def __init__(self):
        self.files = {}
        self.cuts = []
        self.has_ranges = True
        self.status = None
        self._silent_after = None
        self._goes_on = threading.Event()
        self._requests = []
        self._http = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._make_handler()
        )
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @property
    def requests(self):
        return [tuple(request) for request in self._requests]

    def forget_requests(self):
        self._requests.clear()

    @property
    def bytes_sent(self):
        return sum(request[2] for request in self.requests)

    def fall_silent(self, num_bytes):
        """Lets connections stand still after so many bytes, until `go_on`."""
        self._silent_after = num_bytes

    def go_on(self):
        self._silent_after = None
        self._goes_on.set()

    def stop(self):
        self.go_on()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _make_handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server._answer(self)

            def log_message(self, *_):
                pass

        return Handler

    def _answer(self, handler):
        content = self.files.get(handler.path)
        status = self.status or (404 if content is None else 200)
        if status != 200:
            self._requests.append([handler.path, None, 0])
            handler.send_error(status)
            return
        wanted = handler.headers.get("Range")
        offset = int(wanted[6:-1]) if wanted and self.has_ranges else 0
        total = len(content)
        if offset and offset >= total:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{total}")
            body = b""
        elif offset:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {offset}-{total - 1}/{total}")
            body = content[offset:]
        else:
            handler.send_response(200)
            body = content
        request = [handler.path, wanted, 0]
        self._requests.append(request)
        cut = self.cuts.pop(0) if self.cuts else len(body)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        self._send(handler, body[:cut], request)

    def _send(self, handler, body, request):
        for start in range(0, len(body), 16384):
            if self._silent_after is not None and start >= self._silent_after:
                self._goes_on.wait()
            chunk = body[start : start + 16384]
            # Before the client has them, as it may be done before this thread goes on.
            request[2] += len(chunk)
            try:
                handler.wfile.write(chunk)
            except OSError:
                break  # the client is gone


@pytest.fixture
def server(monkeypatch):
    # A proxy of the machine's would be asked even for this address.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    server = Server()
    yield server
    server.stop()
