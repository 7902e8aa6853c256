"""The verb review-import: answers out of other review tools' files."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of
from dataengine.progress import say


def command(argv: list[str]) -> None:
    """Answers out of files, Label Studio or Potato: dataengine review-import DIR FILE [--annotator NAME] [--annotators '{"7": "ann"}']"""
    parser = parser_of("dataengine review-import", "Take answers out of files into a queue's store; what can not be used is named.")
    parser.add_argument("folder", type=Path, help="a queue's folder, or any finished folder of rows")
    parser.add_argument(
        "file", type=Path, help="JSON lines, a folder of ours, a JSON export of Label Studio, or the folder that Potato wrote"
    )
    parser.add_argument("--annotator", type=str, default="", help="who said what names nobody (JSON lines)")
    parser.add_argument("--annotators", type=dict[str, str], default={}, help='names for a tool\'s own: {"7": "alice", "b@x.org": "bob"}')
    chosen = settings_of(parser, argv)
    from annotation.files.bring_home import bring_home
    from annotation.files.heard import told
    from annotation.sqlite.store import Store

    with Store.open(chosen["folder"]) as store:
        home = bring_home(store, chosen["file"], annotator=chosen["annotator"], annotators=chosen["annotators"])
        standing = store.progress()
    who = f" of {', '.join(home.annotators)}" if home.annotators else ""
    print(f"{home.taken.new:,} answers{who} taken in, {home.taken.same:,} there already")
    if home.other_guideline:
        print(f"{home.other_guideline:,} of them were given by other guidelines: they count, and the column `guideline` says which")
    print(f"{standing.done:,} of {standing.items:,} items have as many answers as are wanted")
    foreign = home.heard.foreign
    left_out = f"{len(foreign):,} are about rows that this queue does not have, and were left out:{told(foreign)}" if foreign else ""
    if problems := home.heard.problems:
        raise ValueError(
            f"{len(problems):,} problems; what they are about was not taken in, all else was:{told(problems)}\n{left_out}".rstrip()
        )
    if left_out:
        say(left_out)
