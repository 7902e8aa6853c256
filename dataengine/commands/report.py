"""The verb report: a page on any finished folder."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """A page on any finished folder: dataengine report DIR [--out FILE.html]"""
    from dataengine.reporting.report_folder import report_folder

    parser = parser_of("dataengine report", "A self-contained page on a finished folder: its road, curves, funnel, rows and settings.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=None, help="the file to write; by default the folder's name in this directory")
    chosen = settings_of(parser, argv)
    print(report_folder(chosen["folder"]).write(chosen["out"] or Path(f"{chosen['folder'].resolve().name}.html")))
