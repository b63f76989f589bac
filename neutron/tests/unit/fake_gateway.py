"""An HTTP server that answers as a test says: with text, slowly, in pieces, or never."""
import contextlib
import http.server
import json
import threading


class Gateway:
    """answers: called with (path, body, headers); returns (status, [parts]); a part may be a
    float: so many seconds of silence."""

    def __init__(self, answers):
        self.requests = []
        self.closing = threading.Event()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
                gateway.requests.append((self.path, body, dict(self.headers)))
                status, parts = answers(self.path, body, dict(self.headers))
                self.send_response(status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for part in parts:
                        if isinstance(part, float):
                            gateway.closing.wait(part)
                        else:
                            data = part if isinstance(part, bytes) else part.encode()
                            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                            self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def ok(**content):
    return 200, [json.dumps({"header": {"revision": "5", "cluster_id": "1"}, **content})]
