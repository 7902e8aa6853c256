"""The verb review: the built-in page on a queue."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """People answer in the browser: dataengine review DIR [--annotators alice,bob] [--port N] [--revoke NAME]"""
    from annotation.web.serve import PORT, serve

    parser = parser_of(
        "dataengine review", "The built-in review page on a queue (or any finished folder of rows); prints one link for each."
    )
    parser.add_argument("folder", type=Path, help="a queue's folder, or any finished folder of rows")
    parser.add_argument("--annotators", type=str, default="", help="names with commas between; those named before keep their links")
    parser.add_argument("--revoke", type=str, default="", help="names whose links end; what they answered stays")
    parser.add_argument("--port", type=int, default=PORT, help="0: any that is free")
    parser.add_argument("--host", type=str, default="127.0.0.1", help="address to listen on; beyond loopback nothing is encrypted")
    parser.add_argument("--names", type=str, default="", help="host names of a proxy through which the page is reached")
    chosen = settings_of(parser, argv)
    annotators, revoke, names = (_names(chosen[name]) for name in ("annotators", "revoke", "names"))
    serve(chosen["folder"], annotators=annotators, revoke=revoke, names=names, host=chosen["host"], port=chosen["port"])


def _names(said: str) -> list[str]:
    return [name.strip() for name in said.split(",") if name.strip()]
