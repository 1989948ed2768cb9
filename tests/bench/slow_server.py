"""A stand-in for a judge's server: answers each chat completion after a pause, all side by side.

`python slow_server.py SECONDS` prints its port. `GET /served` says how many requests it answered and
how many it worked on at the same time at most since it was last asked. Standard library only, so that
it starts at once.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAUSE = float(sys.argv[1])

lock = threading.Lock()
counts = {"calls": 0, "now": 0, "most": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(PAUSE)
        with lock:
            counts["now"] -= 1
            counts["calls"] += 1
        self._reply(completion(asked))

    def do_GET(self) -> None:
        with lock:
            served = {"calls": counts["calls"], "most": counts["most"]}
            counts.update(calls=0, most=0)
        self._reply(served)

    def _reply(self, what: dict[str, Any]) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Listening(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """A completion that finds every condition of the prompt unmet."""
    finding = {"reason": "no", "quotes": [], "status": "unmet"}
    labels = re.findall(r"<<(k\d+) ", str(asked["messages"][-1]["content"]))
    message = {"role": "assistant", "content": json.dumps(dict.fromkeys(labels, finding))}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


if __name__ == "__main__":
    server = Listening(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
