"""The verb bring: rows that others made, in our columns."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """Rows of TRL, verl, verifiers, ShareGPT, OpenR1-Math and others in our columns: dataengine bring FILE --root runs [--form NAME]"""
    from dataengine.bring import bring, bring_from_hub
    from dataengine.formats.known import READ
    from dataengine.run import run
    from dataengine.shards import read_manifest

    parser = parser_of("dataengine bring", "Rows that others made, in our columns; the form is told by the columns.")
    parser.add_argument("source", type=str, help="Parquet, JSON or JSONL (.gz, .zst) file, a dataset folder, or with --split a Hub dataset")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="where the folder is made")
    parser.add_argument("--form", type=str, default=None, help=f"one of {', '.join(READ)}")
    parser.add_argument("--parts", type=str, default="r1", help="how reasoning and summary are told apart: r1 or zero")
    parser.add_argument("--constants", type=dict[str, str], default={}, help="""columns filled for every row: '{"license": "mit"}'""")
    parser.add_argument("--bad_lines", type=str, default="stop", help="stop, or reject: set unreadable lines aside")
    parser.add_argument("--split", type=str, default=None, help="split of a dataset folder or Hub dataset, through `datasets`")
    parser.add_argument("--subset", type=str, default=None, help="its configuration")
    parser.add_argument("--revision", type=str, default=None, help="its revision")
    parser.add_argument("--name", type=str, default="brought", help="what the folder is called")
    chosen = settings_of(parser, argv)
    source, root, hub = chosen.pop("source"), chosen.pop("root"), {name: chosen.pop(name) for name in ("split", "subset", "revision")}
    bad_lines = chosen.pop("bad_lines")
    step = bring_from_hub(source, **hub, **chosen) if hub["split"] is not None else bring(source, bad_lines=bad_lines, **chosen)
    folder = run(step, root)
    said = read_manifest(folder)
    print(f"{folder} ({said['rows']:,} rows of {said['notes']['form']}, {said['rejected']:,} rejected)")
