"""The verb score: a scorer over the rows of a file."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import asks_for_help, mapping_of, scorer_parser, settings_of


def command(argv: list[str]) -> None:
    """Score the rows of a file: dataengine score SCORER FILE --out FILE [--columns.response output] [--setting VALUE ...]"""
    from dataengine.score_file import score_file

    if asks_for_help(argv, command):
        return
    scorer, parser = scorer_parser("score", argv)
    parser.add_argument("--out", type=Path, required=True, help="Parquet or JSONL file to write")
    chosen = settings_of(parser, argv[1:])
    file, out, columns = chosen.pop("file"), chosen.pop("out"), mapping_of(chosen)
    print(score_file(scorer.with_(**chosen), file, out=out, columns=columns))
