"""The line between a client and a server of this machine, which can be cut, mended, and fall silent."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Carries bytes between a port of its own and the server's, in both directions."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._held = _bound(0)
        """Our port: held, and never listened on, so that nobody takes it while the wire is cut."""
        self.port: int = self._held.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._flows = threading.Event()
        self._listens: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        """For clients."""
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Connections are taken and carried (again)."""
        self._flows.set()
        if self._listens is None:
            self._listens = _bound(self.port)
            self._listens.listen(128)
            threading.Thread(target=self._take, args=[self._listens], daemon=True).start()

    def cut(self) -> None:
        """Every connection ends at once, and none is taken."""
        listens, self._listens = self._listens, None
        for each in [*([listens] if listens else []), *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        """For good."""
        self.cut()
        self._held.close()

    def fall_silent(self) -> None:
        """Connections stay and are taken, and nothing comes through."""
        self._flows.clear()

    def _take(self, listens: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listens.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                self._open |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(1 << 16):
                self._flows.wait()
                other.sendall(content)
        for each in (one, other):
            self._open.discard(each)
            each.close()


def _bound(port: int) -> socket.socket:
    """A socket at a port of this machine, which may be held by one of ours that does not listen."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made
