"""The worker process: what Argilla does in the background (webhooks, a changed `min_submitted`), with our search engine."""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
from pathlib import Path

from annotation.argilla_server.surroundings import settle


def main() -> None:
    """python -m annotation.argilla_server.worker HOME --redis URL"""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--redis", required=True)
    chosen = parser.parse_args()
    settle(chosen.home, redis=chosen.redis, origin="http://127.0.0.1")

    from argilla_server.jobs.queues import DEFAULT_QUEUE, HIGH_QUEUE, REDIS_CONNECTION
    from rq import Worker

    from annotation.argilla_server import search  # noqa: F401  # being imported is what registers it

    # The scheduler is what tries a webhook again later.
    Worker([HIGH_QUEUE, DEFAULT_QUEUE], connection=REDIS_CONNECTION).work(with_scheduler=True, logging_level="WARNING")


if __name__ == "__main__":
    main()
