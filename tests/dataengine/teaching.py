"""A teacher at a service of its own: an OpenAI-compatible server on loopback that answers by a function of the prompt."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def teacher(reply_to: Callable[[str], str]) -> Iterator[str]:
    """The address of a server whose only model is `teacher`."""

    class Teacher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"object": "list", "data": [{"id": "teacher", "object": "model"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = {"role": "assistant", "content": reply_to(asked["messages"][-1]["content"])}
            choices = [{"index": place, "message": message, "finish_reason": "stop"} for place in range(asked.get("n") or 1)]
            self._say({"choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 9 * len(choices)}})

        def _say(self, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test's output stays clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Teacher) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
