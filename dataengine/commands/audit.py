"""The verb audit: how often a scorer is right."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import asks_for_help, mapping_of, scorer_parser, settings_of


def command(argv: list[str]) -> None:
    """How often is a scorer right: dataengine audit SCORER FILE --truth COLUMN [--columns.response output] [--read N] [--out FILE]"""
    from dataengine.audit import audit
    from dataengine.score_file import read_rows, renamed, write_rows

    if asks_for_help(argv, command):
        return
    scorer, parser = scorer_parser("audit", argv)
    parser.add_argument("--truth", type=str, required=True, help="the column of true verdicts: true, false, or null where nobody knows")
    parser.add_argument("--bar", type=float, default=1.0, help="a score of at least this counts as right")
    parser.add_argument("--read", type=int, default=5, help="disagreements printed, taken from every kind in turn")
    parser.add_argument("--out", type=Path, default=None, help="Parquet or JSONL file for all disagreements, with the score and its reason")
    chosen = settings_of(parser, argv[1:])
    file, truth, bar, read, out = (chosen.pop(name) for name in ("file", "truth", "bar", "read", "out"))
    columns = mapping_of(chosen)
    rows = read_rows(file)
    found = audit(scorer.with_(**chosen), renamed(rows, columns, file=file), truth=truth, bar=bar)
    print(found.text(read=read))
    if out is not None:
        write_rows(found.disagreements.drop(set(columns) - set(rows.columns)), out)
        print(f"\n{len(found.disagreements):,} disagreements are in {out}")
