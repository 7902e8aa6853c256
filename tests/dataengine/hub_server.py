"""A stand-in for the Hub's API as `huggingface_hub` uses it for small files: repositories, upload modes, commits; what was sent is kept."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sent:
    """What the server was given."""

    repositories: dict[str, bool] = field(default_factory=dict)
    """Name -> private."""
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    refuse: int = 0
    """A status to answer everything with."""


@contextmanager
def hub_server() -> Iterator[tuple[str, Sent]]:
    """(address, what it was sent)."""
    sent = Sent()

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self._answer(_post(sent, self.path, body, here=f"http://{self.headers['host']}"))

        def do_GET(self) -> None:
            self._answer({"sha": "0" * 40, "siblings": [], "id": "user/name"})

        def _answer(self, found: dict[str, Any]) -> None:
            self.send_response(sent.refuse or 200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"error": "refused"} if sent.refuse else found).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


def _post(sent: Sent, path: str, body: bytes, *, here: str) -> dict[str, Any]:
    if sent.refuse:
        return {}
    if path == "/api/repos/create":
        asked = json.loads(body)
        name = f"{asked.get('organization') or 'user'}/{asked['name']}"
        sent.repositories[name] = asked.get("private", asked.get("visibility") == "private")
        return {"url": f"{here}/datasets/{name}", "id": name, "name": name}
    if path == "/api/validate-yaml":
        return {"errors": [], "warnings": []}
    if "/preupload/" in path:
        files = json.loads(body)["files"]
        return {"files": [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None} for each in files]}
    assert "/commit/" in path, path
    for line in map(json.loads, body.splitlines()):
        if line["key"] == "header":
            sent.commits.append(line["value"]["summary"])
        elif line["key"] == "file":
            sent.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
    repository = path.removeprefix("/api").rpartition("/commit/")[0]
    return {"success": True, "commitOid": "1" * 40, "commitUrl": f"{here}{repository}/commit/{'1' * 40}", "hookOutput": ""}
