"""The verb explain: the road of one row, or the data behind a model."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """Why is this row (not) here, or what trained this model: dataengine explain DIR [ID]"""
    from dataengine import shards
    from dataengine.explain import is_model, trace, trace_everywhere, training_data
    from dataengine.show import trace_text

    parser = parser_of("dataengine explain", "The road of one row to a folder or a model; without a row, the data behind a model.")
    parser.add_argument(
        "folder", type=Path, help="a folder of data, a model's folder, or the root: then every mix and model that has the row"
    )
    parser.add_argument("row", nargs="?", default=None, help="row_id, prompt_id, prompt_id/sample, or the first digits of an id")
    chosen = settings_of(parser, argv)
    folder, row = chosen["folder"], chosen["row"]
    if row is not None:
        is_root = folder.is_dir() and not any((folder / file).exists() for file in (shards.MANIFEST, shards.JOURNAL))
        places = trace_everywhere(folder, row) if is_root else trace(folder, row)
        print("\n".join(trace_text(places)))
        if not is_root and is_model(folder) and not any(at.trained and at.folder == folder.name for at in places):
            print(f"--- {folder.name} was not trained on it")
        return
    data = training_data(folder)
    print("\n".join(f"{rows:>9,} rows  {before}" for before, rows in data) or "no data folder is behind it")
