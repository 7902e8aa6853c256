"""The verb export: rows in the shape of somebody else's trainer, or for the Hub."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """Rows for TRL, verl, verifiers, LLaMA-Factory, OpenR1 or the Hub: dataengine export DIR --to FORMAT --out PATH [--repo NAME]"""
    from dataengine.export import export
    from dataengine.formats.known import WRITTEN

    parser = parser_of("dataengine export", "The rows of a finished folder in the shape of somebody else's trainer, or for the Hub.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=str, required=True, help=f"one of {', '.join(WRITTEN)}")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--title", type=str, default=None, help="heading of the card")
    parser.add_argument("--rejected", type=bool, default=False, help="put the dropped rows into a configuration of their own (hub)")
    parser.add_argument("--repo", type=str, default=None, help="push the folder to this dataset repository of the Hub: USER/NAME")
    parser.add_argument("--public", type=bool, default=False, help="make the repository public when it is made now")
    chosen = settings_of(parser, argv)
    repo, public = chosen.pop("repo"), chosen.pop("public")
    made = export(chosen.pop("folder"), **chosen)
    print(f"{made.folder} ({made.rows:,} rows)")
    for reason, rows in made.left_out.items():
        print(f"  {rows:>9,} rows left out: {reason}")
    if made.truncated:
        print(f"  {made.truncated:>9,} responses among them are truncated")
    if repo is not None:
        from dataengine.hub import push

        print(push(made.folder, repo=repo, public=public))
