"""The verb review-export: a queue's items as files for other review tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dataengine.flags import parser_of, settings_of

if TYPE_CHECKING:
    from annotation.item import Item
    from annotation.questions import Questions
    from annotation.sqlite.store import Store

BATCH = 2_000
"""Items in memory at once."""
TO = ("jsonl", "folder", "label-studio", "potato")


def command(argv: list[str]) -> None:
    """A queue's items for another review tool: dataengine review-export DIR --to jsonl|folder|label-studio|potato --out FILE"""
    parser = parser_of("dataengine review-export", "The items of a queue, with the answers so far where the format has room for them.")
    parser.add_argument("folder", type=Path, help="a queue's folder, or any finished folder of rows")
    parser.add_argument("--to", type=str, required=True, help=f"one of {', '.join(TO)}")
    parser.add_argument("--out", type=Path, required=True, help="the file to make (for `folder` the folder, which may be there already)")
    chosen = settings_of(parser, argv)
    folder, to, out = chosen["folder"], chosen["to"], chosen["out"]
    if to not in TO:
        from dataengine.names import nearest

        raise ValueError(f"there is no format {to!r}. {nearest(to, TO)}")
    if to != "folder" and out.exists():
        raise ValueError(f"{out} is there already, perhaps with answers in it: bring them home with review-import, or name another file")
    from annotation.items import questions_of
    from annotation.sqlite.store import Store

    questions = questions_of(folder)
    with Store.open(folder) as store:
        print({"jsonl": _jsonl, "folder": _folder, "label-studio": _label_studio, "potato": _potato}[to](store, questions, out))
    print(f"Then: dataengine review-import {folder} FILE")


def _jsonl(store: Store, questions: Questions, out: Path) -> str:
    from annotation.files.exact_lines import line_of
    from annotation.sqlite.packing import plain_answer, plain_item

    said: dict[str, list[dict[str, object]]] = {}
    for answer in store.answers():
        said.setdefault(answer.item_id, []).append(plain_answer(answer))

    def line(item: Item) -> bytes:
        about = {"item_id": item.item_id, "questions": questions.version}
        return line_of({**about, **plain_item(item), "answers": said.get(item.item_id, [])})

    count = _write(out, store.items(), line)
    return f'{out}: {count:,} items. Add to a line\'s answers: {{"annotator": "bob", "verdict": "keep", "readability": 4}}'


def _folder(store: Store, questions: Questions, out: Path) -> str:
    from annotation.files.review_files import ReviewFiles

    place, items, new, same, changed = ReviewFiles(out), store.items(), 0, 0, 0
    while batch := list(islice(items, BATCH)):
        pushed = place.push(batch, questions)
        new, same, changed = new + pushed.new, same + pushed.same, changed + len(pushed.changed)
    moved = place.push([], questions, answers=store.answers()).answers
    return f"{out}: {new:,} new items, {same:,} there already, {changed:,} with another text than before; {moved:,} answers moved along"


def _label_studio(store: Store, questions: Questions, out: Path) -> str:
    import json

    from annotation.files import label_studio
    from dataengine.shards import write_atomically

    count = _write(out, store.items(), lambda item: json.dumps(label_studio.task_of(item, questions)).encode(), b"[\n", b",\n", b"\n]\n")
    layout, told = out.with_suffix(".xml"), out.with_suffix(".guidelines.md")
    write_atomically(layout, lambda file: file.write(label_studio.config(questions).encode()))
    write_atomically(told, lambda file: file.write(questions.guidelines.encode()))
    return f"{out}: {count:,} tasks. Labelling interface: {layout}; instructions: {told}; when people are done, export as JSON"


def _potato(store: Store, questions: Questions, out: Path) -> str:
    from annotation.files import potato
    from annotation.files.exact_lines import line_of
    from dataengine.shards import write_atomically

    if out.suffix != ".jsonl":
        raise ValueError(f"Potato knows a file of JSON lines by its ending: name it {out.with_suffix('.jsonl')}")
    count = _write(out, store.items(), lambda item: line_of(potato.row_of(item, questions)))
    settings, told = out.with_suffix(".yaml"), out.with_suffix(".guidelines.md")
    write_atomically(settings, lambda file: file.write(potato.config(questions, data=out, name=out.stem).encode()))
    write_atomically(told, lambda file: file.write(questions.guidelines.encode()))
    return f"{out}: {count:,} items. Start: potato start {settings}; guidelines: {told}; FILE is then {out.parent / 'annotation_output'}"


def _write(
    out: Path, items: Iterable[Item], line: Callable[[Item], bytes], before: bytes = b"", between: bytes = b"", after: bytes = b""
) -> int:
    """Write one piece for each item, as they come; how many."""
    from dataengine.shards import write_atomically

    count = 0

    def write(file: BinaryIO) -> None:
        nonlocal count
        file.write(before)
        for item in items:
            file.write((between if count else b"") + line(item))
            count += 1
        file.write(after)

    write_atomically(out, write)
    return count
