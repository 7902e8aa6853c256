"""The server's SQLite file: made or brought up to date, in WAL mode, with two indexes that searching wants."""

# pyright: reportMissingImports=false
from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import alembic.config
from argilla_server.database import ALEMBIC_CONFIG_FILE
from argilla_server.settings import settings
from sqlalchemy import make_url

INDEXES = (
    # Records lie in the file behind tens of kilobytes of text each: with these, filters, sorts and counts never read the text.
    "CREATE INDEX IF NOT EXISTS dataengine_records ON records (dataset_id, status, inserted_at, id, updated_at, external_id, metadata)",
    "CREATE INDEX IF NOT EXISTS dataengine_responses ON responses (record_id, user_id, status)",
)


def database_file() -> Path:
    """Where the database lies."""
    return Path(str(make_url(settings.database_url or "").database))


def prepare_tables() -> None:
    """The tables of this version of Argilla, and ours beside them; what is there is kept."""
    alembic.config.main(argv=["-c", ALEMBIC_CONFIG_FILE, "upgrade", "head"])
    with closing(sqlite3.connect(database_file(), timeout=30)) as database:
        database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer; it stays so for every later connection
        for index in INDEXES:
            database.execute(index)
        database.commit()
