"""The server process: database, accounts, then Argilla's own application, unchanged, with our search engine."""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from annotation.argilla_server.surroundings import settle


def main() -> None:
    """python -m annotation.argilla_server.serve HOME --redis URL --url URL [--host 127.0.0.1] [--port 6900] [--annotators alice,bob]"""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6900)
    parser.add_argument("--annotators", default="")
    chosen = parser.parse_args()
    settle(chosen.home, redis=chosen.redis, origin=f"http://{chosen.host}:{chosen.port}")
    _serve(chosen.home, chosen.host, chosen.port, [name for name in chosen.annotators.split(",") if name], url=chosen.url)


def _serve(home: Path, host: str, port: int, annotators: list[str], *, url: str) -> None:
    import uvicorn

    from annotation.argilla_server.accounts import prepare_accounts
    from annotation.argilla_server.page_policy import with_policy
    from annotation.argilla_server.tables import prepare_tables

    prepare_tables()

    async def prepare() -> None:
        from argilla_server.database import async_engine

        await prepare_accounts(home, annotators, url=url)
        await async_engine.dispose()  # its connections belong to this event loop

    asyncio.run(prepare())

    from argilla_server._app import app

    from annotation.argilla_server import search  # noqa: F401  # being imported is what registers it

    uvicorn.run(with_policy(app), host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
