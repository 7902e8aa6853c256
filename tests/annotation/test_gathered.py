from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from annotation.gathered import answers_in, file_of, gather
from annotation.items import items_of
from annotation.queue import queue
from annotation.sqlite.store import Store
from dataengine import shards
from dataengine.run import run
from tests.annotation.answers import answer, store_answers
from tests.annotation.rows import BARS, responses, rollouts


def test_answers_lie_by_the_shard_of_their_row_and_stay_as_they_were_unless_asked_again(tmp_path: Path) -> None:
    folder = run(queue(responses(rollouts(20)), bars=BARS, audit=1.0, overlap=0.0), tmp_path)
    items = list(items_of(folder))
    store_answers(folder, [answer(item, "fix", summary="\x7f\u2028 三 \U0001f469") for item in items[:10]])
    place = tmp_path / "gathered"
    assert gather(folder, place, again=True) == 0
    found = {path.name: answers_in(file_of(place, path.name)) for path in shards.shard_paths(folder)}
    assert sorted(item_id for each in found.values() for item_id in each) == sorted(item.item_id for item in items[:10])
    for name, each in found.items():
        assert set(each) <= set(shards.read(folder)["item_id"])
        assert {given.values["summary"] for answers in each.values() for given in answers} <= {"\x7f\u2028 三 \U0001f469"}
        assert name.endswith(".parquet")
    store_answers(folder, [answer(item) for item in items[10:]])
    gather(folder, place, again=False)
    assert {path.name: answers_in(file_of(place, path.name)) for path in shards.shard_paths(folder)} == found
    gather(folder, place, again=True)
    assert sum(len(answers_in(file_of(place, path.name))) for path in shards.shard_paths(folder)) == 20


def test_answers_to_a_text_that_the_row_no_longer_has_are_counted_and_left_out(tmp_path: Path) -> None:
    folder = run(queue(responses(rollouts(6)), bars=BARS, audit=1.0, overlap=0.0), tmp_path)
    former = replace(next(items_of(folder)), reasoning="What stood here before.")
    with closing(Store.open(folder)) as store:
        store.push([former], store.questions, answers=[answer(former), answer(former, by="bo", status="draft")])
    assert gather(folder, tmp_path / "gathered", again=True) == 1
    assert not any(answers_in(file_of(tmp_path / "gathered", path.name)) for path in shards.shard_paths(folder))
