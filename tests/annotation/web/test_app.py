"""The calls of the review page: what is saved, what is refused, and what never gets in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from annotation.answer import Answer
from annotation.item import Finding, Item, Said
from annotation.questions import Questions
from annotation.queue import queue
from annotation.sqlite.annotators import Annotators
from annotation.sqlite.store import Store
from annotation.web.app import review_app
from annotation.web.guard import LARGEST
from dataengine.errors import DiskFull, Stopped
from dataengine.run import run
from tests.annotation.rows import BARS, responses, rollouts

QUESTIONS = Questions(guidelines="Judge.")
ITEMS = [
    Item(
        row_id=f"row{number}",
        prompt=f"1+{number}?",
        reasoning=f"I add \0 x<y \ud800 {number}.",
        summary="2",
        rank=number,
        why="unjudged" if number < 2 else "kept",
        metadata={"domain": "math" if number % 2 else "code", "noise": float("nan")},
        said=(Said(scorer="language", value=None, reason="no text"),),
        findings=(Finding(field="reasoning", start=0, stop=5, scorer="format", note="token"),),
    )
    for number in range(6)
]
KEEP = {"status": "submitted", "values": {"verdict": "keep"}, "version": 0, "seconds": 7.5}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "answers.sqlite") as store:
        store.push(ITEMS, QUESTIONS)
        yield store


@pytest.fixture
def page(store: Store) -> Iterator[TestClient]:
    with TestClient(review_app(store, queue="queue-1"), base_url="http://127.0.0.1:8377") as client:
        yield client


@pytest.fixture
def alice(store: Store, page: TestClient) -> TestClient:
    return _with_token(page, Annotators(store.database).tokens(["alice"])["alice"])


@pytest.fixture
def bob(store: Store, page: TestClient) -> TestClient:
    other = TestClient(page.app, base_url="http://127.0.0.1:8377")
    return _with_token(other, Annotators(store.database).tokens(["bob"])["bob"])


def _with_token(client: TestClient, token: str) -> TestClient:
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def as_browsers_write(body: Any) -> dict[str, Any]:
    """JSON in which half a character is an escape; the test client's own is UTF-8, which has none."""
    return {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}


def told(reply: Any, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()


def test_an_item_arrives_as_it_is(alice: TestClient) -> None:
    shown = told(alice.get("/api/next"))
    assert shown["item"]["reasoning"] == ITEMS[0].reasoning
    assert shown["item"]["item_id"] == ITEMS[0].item_id
    assert shown["item"]["metadata"]["noise"] is None
    assert shown["item"]["findings"] == [{"field": "reasoning", "start": 0, "stop": 5, "scorer": "format", "note": "token"}]
    assert (shown["draft"], shown["answer"], shown["version"], shown["mine_left"]) == (None, None, 0, 6)


def test_me_says_what_is_asked_and_how_far_we_are(alice: TestClient) -> None:
    told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json=KEEP))
    me = told(alice.get("/api/me"))
    assert (me["annotator"], me["queue"], me["questions"]["version"]) == ("alice", "queue-1", QUESTIONS.version)
    assert me["questions"]["opening"] == "<think>"
    mine = {"pending": 5, "draft": 0, "submitted": 1, "discarded": 0, "done": 0, "seconds": 7.5}
    assert me["progress"] == {"mine": mine, "all": {"items": 6, "done": 1}}


def test_the_next_one_comes_in_the_queues_order_and_not_twice_to_two_people(alice: TestClient, bob: TestClient) -> None:
    assert told(alice.get("/api/next"))["item"]["rank"] == 0
    assert told(bob.get("/api/next"))["item"]["rank"] == 1
    assert told(alice.get("/api/next"))["item"]["rank"] == 0, "a reload shows the same"
    assert told(alice.get("/api/next", params={"domain": "math"}))["item"]["rank"] == 3, "bob is at 1"
    assert told(alice.get("/api/next", params={"after": ITEMS[3].item_id}))["item"]["rank"] == 4
    assert told(alice.get("/api/next", params={"after": ITEMS[5].item_id}))["item"]["rank"] == 0, "round from the front"
    assert told(bob.get(f"/api/items/{ITEMS[0].item_id}"))["others"] == ["alice"]


def test_what_others_are_at_comes_last_and_not_never(alice: TestClient, bob: TestClient) -> None:
    told(bob.get("/api/next"))
    for item in ITEMS[1:]:
        told(alice.post(f"/api/items/{item.item_id}/answer", json=KEEP))
    assert told(alice.get("/api/next"))["item"]["rank"] == 0
    told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json=KEEP))
    assert told(alice.get("/api/next")) == {"item": None, "mine_left": 0}


def test_a_draft_comes_back_and_ends_with_the_answer(alice: TestClient, store: Store) -> None:
    url = f"/api/items/{ITEMS[0].item_id}"
    draft = told(alice.put(f"{url}/draft", **as_browsers_write({"values": {"reasoning": "half \ud83d\0"}, "version": 0, "seconds": 3})))
    shown = told(alice.get(url))
    assert shown["draft"]["values"] == {"reasoning": "half \ud83d\0"}
    assert (shown["draft"]["version"], shown["draft"]["seconds"]) == (draft["version"], 3.0)
    saved = told(alice.post(f"{url}/answer", json={**KEEP, "version": draft["version"]}))
    shown = told(alice.get(url))
    assert (shown["draft"], shown["version"], shown["answer"]["values"]) == (None, saved["version"], {"verdict": "keep"})
    assert [(answer.guideline, answer.seconds, answer.via) for answer in store.answers()] == [(QUESTIONS.version, 7.5, "page")]


def test_an_answer_given_elsewhere_since_stands_before_what_was_begun_on_the_page(alice: TestClient, store: Store) -> None:
    item_id, url = ITEMS[0].item_id, f"/api/items/{ITEMS[0].item_id}"
    begun = {"values": {"verdict": "keep", "comment": "begun on the page"}, "seconds": 3}
    told(alice.put(f"{url}/draft", json={**begun, "version": 0}))
    later = Answer(item_id=item_id, annotator="alice", at="2100-01-01T00:00:00Z", status="submitted", values={"verdict": "discard"})
    store.take_in([later])
    shown = told(alice.get(url))
    assert (shown["draft"], shown["answer"]["values"], shown["version"]) == (None, {"verdict": "discard"}, 1)
    told(alice.put(f"{url}/draft", json={**begun, "version": shown["version"]}))
    shown = told(alice.get(url))
    assert shown["draft"]["values"] == begun["values"], "the same words again, now said after the answer"
    store.take_in([replace(later, at="2100-01-01T00:00:01Z", status="draft", values={"comment": "begun there"})])
    assert told(alice.get(url))["draft"]["values"] == {"comment": "begun there"}
    assert [draft.values for draft in store.drafts_of(item_id, "alice")] == [begun["values"]] * 2


def test_two_tabs_with_one_draft_hear_of_each_other(alice: TestClient) -> None:
    url = f"/api/items/{ITEMS[0].item_id}/draft"
    told(alice.put(url, json={"values": {"comment": "one"}, "version": 0, "seconds": 1}))
    conflict = told(alice.put(url, json={"values": {"comment": "two"}, "version": 0, "seconds": 1}), 409)
    assert (conflict["theirs"]["values"], conflict["theirs"]["status"]) == ({"comment": "one"}, "draft")
    assert told(alice.put(url, json={"values": {"comment": "two"}, "version": conflict["theirs"]["version"], "seconds": 1}))["version"] == 2


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"verdict": "fix", "reasoning": " "}, "empty"),
        ({"verdict": "fix"}, "both are as they were"),
        ({"verdict": "fix", "reasoning": "I <think> so"}, "<think>"),
        ({"verdict": "fix", "summary": "\0"}, "empty|NUL"),
        ({"verdict": "keep", "summary": "3"}, "choose fix"),
        ({}, "choose keep, fix or discard"),
    ],
)
def test_an_answer_that_can_not_be_used_is_told_why(alice: TestClient, values: dict[str, Any], problem: str) -> None:
    refused = told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json={**KEEP, "values": values}), 422)
    assert any(part in " ".join(refused["problems"]) for part in problem.split("|"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "0"},
        {"version": None},
        {"values": []},
        {"values": {"reasoning": 5}},
        {"values": {"reasons": [["x"]]}},
        {"seconds": -1},
        {"seconds": True},
        {"status": "draft"},
    ],
)
def test_a_call_with_wrong_values_is_told_which(alice: TestClient, wrong: dict[str, Any]) -> None:
    assert told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json={**KEEP, **wrong}), 422)["error"]


def test_the_list_has_filters_pages_and_states(alice: TestClient) -> None:
    told(alice.post(f"/api/items/{ITEMS[2].item_id}/answer", json={**KEEP, "status": "discarded", "values": {}}))
    told(alice.put(f"/api/items/{ITEMS[4].item_id}/draft", json={"values": {"comment": "x"}, "version": 0, "seconds": None}))
    page = told(alice.get("/api/items", params={"why": "kept", "limit": "2", "offset": "1"}))
    assert page["total"] == 4
    assert [row["rank"] for row in page["rows"]] == [3, 4]
    assert [row["mine"] for row in page["rows"]] == ["pending", "draft"]
    assert page["facets"]["domain"] == {"code": 3, "math": 3}
    assert page["facets"]["mine"] == {"pending": 4, "draft": 1, "submitted": 0, "discarded": 1, "done": 0}
    assert told(alice.get("/api/items", params={"status": "discarded"}))["total"] == 1
    assert "status is one of" in told(alice.get("/api/items", params={"status": "x"}), 422)["error"]
    assert "limit" in told(alice.get("/api/items", params={"limit": "-1"}), 422)["error"]


def test_the_summary_knows_pace_and_verdicts(alice: TestClient) -> None:
    for item, seconds in zip(ITEMS[:3], (10, 20, 60), strict=True):
        told(alice.post(f"/api/items/{item.item_id}/answer", json={**KEEP, "seconds": seconds}))
    summary = told(alice.get("/api/summary"))
    assert summary["progress"] == {"items": 6, "done": 3}
    pace = summary["annotators"]["alice"]
    assert (pace["answers"], pace["median_seconds"], pace["per_hour"]) == (3, 20, 120)
    assert pace["verdicts"] == {"keep": 3, "fix": 0, "discard": 0}


def test_formulas_become_mathml_and_nothing_else(alice: TestClient) -> None:
    sources = ["x<y", r"\text{<script>alert(1)</script>}", r"\href{javascript:x}{y}", r"\style{color:red}{x}", r"\frac{", "\0\ud800"]
    found = told(alice.post("/api/latex", **as_browsers_write({"formulas": [[source, False] for source in sources]})))["formulas"]
    assert "&lt;" in found[0]["mathml"]
    assert "&lt;script&gt;" in found[1]["mathml"]
    assert "javascript" not in found[2]["mathml"]
    assert "style" not in found[3]["mathml"]
    assert "error" in found[4]
    assert told(alice.post("/api/latex", json={"formulas": ["x"]}), 422)["error"]


def test_every_reply_carries_the_headers(alice: TestClient) -> None:
    replies = [alice.get(path) for path in ("/api/me", "/api/nothing", "/page/none.js")]
    for reply in [*replies, alice.get("/", headers={"Host": "evil.com"})]:
        assert reply.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/api/me", "/api/next", "/api/items", f"/api/items/{ITEMS[0].item_id}", "/api/summary"])
def test_nothing_is_told_without_a_token(page: TestClient, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}, {"Authorization": "Basic x"}):
        assert "link" in told(page.get(path, headers=headers), 401)["error"]


def test_a_revoked_link_ends_at_once_and_its_answers_stay(alice: TestClient, store: Store) -> None:
    told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json=KEEP))
    people = Annotators(store.database)
    people.revoke("alice")
    told(alice.get("/api/me"), 401)
    assert len(list(store.answers())) == 1
    told(_with_token(alice, people.tokens(["alice"])["alice"]).get("/api/me"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.com"}, 403),
        ({"Host": "127.0.0.1.evil.com:8377"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:9000"}, 200),
        ({"Host": "[::1]:8377"}, 200),
        ({"Origin": "http://evil.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://127.0.0.1:8377"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_get_nothing(alice: TestClient, headers: dict[str, str], status: int) -> None:
    told(alice.get("/api/me", headers=headers), status)


@pytest.mark.parametrize(("host", "status"), [("10.0.0.5:8377", 200), ("review.lab", 200), ("evil.com", 403), ("[fe80::1]:8377", 200)])
def test_beyond_loopback_bare_addresses_and_the_names_that_were_given_are_answered(store: Store, host: str, status: int) -> None:
    page = TestClient(review_app(store, queue="q", hosts=["review.lab", "*"]), base_url="http://127.0.0.1:8377")
    _with_token(page, Annotators(store.database).tokens(["alice"])["alice"])
    told(page.get("/api/me", headers={"Host": host, "Origin": f"http://{host}"}), status)


@pytest.mark.parametrize(("error", "status"), [(DiskFull("no room: make some"), 507), (Stopped("the disk refuses it: look"), 503)])
def test_a_disk_that_takes_nothing_is_told_to_the_page_and_to_the_terminal(
    alice: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, status: int
) -> None:
    def refusing(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(store, "save", refusing)
    assert told(alice.post(f"/api/items/{ITEMS[0].item_id}/answer", json=KEEP), status)["error"] == str(error)
    assert str(error) in capsys.readouterr().err


def test_a_body_that_is_too_large_or_no_json_is_told_so(alice: TestClient) -> None:
    url = f"/api/items/{ITEMS[0].item_id}/draft"
    large = json.dumps({"values": {"reasoning": "x" * LARGEST}, "version": 0})
    json_type = {"Content-Type": "application/json"}
    assert "16 MB" in told(alice.put(url, content=large, headers=json_type), 413)["error"]
    told(alice.put(url, content=b"{", headers=json_type), 400)
    told(alice.put(url, content=b"\xff", headers=json_type), 400)
    told(alice.put(url, content=b"[" * 200_000, headers=json_type), 400)
    told(alice.put(url, content=b'{"version": 0, "seconds": NaN}', headers=json_type), 400)
    told(alice.put(url, content=b"[]", headers=json_type), 422)
    told(alice.put(url, content=b"version=0", headers={"Content-Type": "text/plain"}), 415)


def test_what_is_not_there_is_told_in_json(alice: TestClient) -> None:
    assert "no item" in told(alice.get("/api/items/none"), 404)["error"]
    assert "no item" in told(alice.put("/api/items/none/draft", json={"values": {}, "version": 0}), 404)["error"]
    assert told(alice.get("/api/nothing"), 404)["error"]
    assert told(alice.delete("/api/me"), 405)["error"]
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd"):
        assert alice.get(path).status_code == 404


def test_a_row_with_a_new_text_is_asked_again_and_an_open_tab_is_told(alice: TestClient, store: Store) -> None:
    old = ITEMS[0]
    told(alice.get(f"/api/items/{old.item_id}"))
    new = Item(row_id=old.row_id, prompt=old.prompt, reasoning="I add anew.", summary=old.summary)
    store.push([new], QUESTIONS)
    assert told(alice.post(f"/api/items/{old.item_id}/answer", json=KEEP))["current"] is False
    assert told(alice.get("/api/next"))["item"]["item_id"] == new.item_id


def test_the_summary_of_a_queue_tells_agreement_and_how_wrong_the_filters_are(tmp_path: Path) -> None:
    folder = run(queue(responses(rollouts(12)), bars=BARS, audit=1.0, overlap=1.0), tmp_path)
    with Store.open(folder) as store:
        people = [
            _with_token(TestClient(review_app(store, queue="q", folder=folder), base_url="http://localhost"), token)
            for token in Annotators(store.database).tokens(["alice", "bob"]).values()
        ]
        assert told(people[0].get("/api/summary"))["progress"]["done"] == 0
        for item in store.items():
            for person in people:
                told(person.post(f"/api/items/{item.item_id}/answer", json=KEEP))
        summary = told(people[0].get("/api/summary"))
    assert {each["question"] for each in summary["agreement"]} >= {"verdict", "readability", "good"}
    wrong = {(each["of"], each["error"]): each["rate"] for each in summary["filter_errors"]}
    assert (wrong["all bars", "false keep"], wrong["all bars", "false drop"]) == (0.0, 1.0)


def test_any_finished_folder_of_rows_can_be_reviewed(tmp_path: Path) -> None:
    folder = run(responses(rollouts(9)), tmp_path)
    with Store.open(folder) as store, TestClient(review_app(store, queue="q", folder=folder), base_url="http://localhost") as client:
        _with_token(client, Annotators(store.database).tokens(["alice"])["alice"])
        told(client.post(f"/api/items/{told(client.get('/api/next'))['item']['item_id']}/answer", json=KEEP))
        summary = told(client.get("/api/summary"))
    assert (summary["progress"], summary["filter_errors"]) == ({"items": 9, "done": 1}, [])
