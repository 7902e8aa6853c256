"""The verb explain: the road of one row, or the data behind a model."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """Why is this row (not) here, or what trained this model: dataengine explain DIR [ID]"""
    from dataengine.explain import trace, training_data
    from dataengine.show import trace_text

    parser = parser_of("dataengine explain", "The road of one row to a folder; without a row, the data behind a model.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("row", nargs="?", default=None, help="prompt_id or prompt_id/sample")
    chosen = settings_of(parser, argv)
    if chosen["row"] is not None:
        print("\n".join(trace_text(trace(chosen["folder"], chosen["row"]))))
        return
    data = training_data(chosen["folder"])
    print("\n".join(f"{rows:>9,} rows  {folder}" for folder, rows in data) or "no data folder is behind it")
