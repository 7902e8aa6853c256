"""The verb show: what a folder holds and where it comes from."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """What a folder holds and where it comes from: dataengine show DIR [--rows N]"""
    from dataengine.show import folder_text

    parser = parser_of("dataengine show", "What a folder holds and where it comes from.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3, help="rows printed")
    chosen = settings_of(parser, argv)
    print("\n".join(folder_text(chosen["folder"], rows=chosen["rows"])))
