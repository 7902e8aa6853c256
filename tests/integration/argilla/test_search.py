"""Every method of our search engine, asked over REST of a real server, as its page and its SDK ask."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.argilla.conftest import Argilla, Refused

COUNT = 24
DOMAINS = ("maths", "code", "stem")
TEXTS = (
    "First I add 3 and 5, then I check: 8.",
    "Wait, let me reconsider the quadratic equation x<y.",
    "所以因此得到答案是 42。",
    "The quick brown fox; don't reconsider. Equations everywhere.",
    "<think>\nnothing but tags\n</think>",
    "quadratic fox, foxes and 因果 words",
)


@dataclass(frozen=True)
class Pool:
    """A published dataset of COUNT records, with what was put in; record i is `r{i}`."""

    server: Argilla
    id: str
    ids: dict[str, str]
    """external_id -> the server's id."""
    rows: list[dict[str, Any]]
    """metadata, suggestions {question: {value, score, agent}}, text; by i."""
    responses: dict[tuple[int, str], tuple[str, dict[str, Any]]]
    """(i, annotator) -> (status, values)."""

    def search(self, *, who: str | None = None, limit: int = 1000, offset: int = 0, **query: Any) -> tuple[list[str], int]:
        """(external ids in the order they came in, total); as a person where `who` is given."""
        me = "" if who is None else "/me"
        path = f"{me}/datasets/{self.id}/records/search?limit={limit}&offset={offset}"
        found = self.server.call("POST", path, query, who=who or "owner")
        return [item["record"]["external_id"] for item in found["items"]], found["total"]

    def matching(self, *filters: dict[str, Any], who: str | None = None) -> set[str]:
        """Records for which all filters hold."""
        found, total = self.search(who=who, filters={"and": list(filters)})
        assert total == len(found) == len(set(found))
        return set(found)

    def words(self, typed: str, field: str | None = None) -> set[str]:
        """Records in which words are found."""
        return set(self.search(query={"text": {"q": typed, **({"field": field} if field else {})}})[0])


def terms(scope: dict[str, Any], *values: Any) -> dict[str, Any]:
    return {"type": "terms", "scope": scope, "values": list(values)}


def between(scope: dict[str, Any], ge: Any = None, le: Any = None) -> dict[str, Any]:
    return {"type": "range", "scope": scope, **({} if ge is None else {"ge": ge}), **({} if le is None else {"le": le})}


def meta(name: str) -> dict[str, Any]:
    return {"entity": "metadata", "metadata_property": name}


def suggested(question: str, name: str = "value") -> dict[str, Any]:
    return {"entity": "suggestion", "question": question, "property": name}


def answered(question: str) -> dict[str, Any]:
    return {"entity": "response", "question": question}


STATUS = {"entity": "response", "property": "status"}


def record(name: str) -> dict[str, Any]:
    return {"entity": "record", "property": name}


def made_row(i: int) -> dict[str, Any]:
    draw = random.Random(i)
    metadata: dict[str, Any] = {"domain": DOMAINS[i % 3], "tags": draw.sample(["a", "b", "c"], k=draw.randint(1, 2)), "tokens": i * 10}
    if i % 4:
        metadata["pass_rate"] = round(draw.random(), 3)
    suggestions = {"verdict": {"value": draw.choice(["keep", "fix"]), "score": round(draw.random(), 3), "agent": f"judge-{i % 2}"}}
    if i % 3:
        suggestions["readability"] = {"value": draw.randint(1, 5), "agent": "scorer:two"}
        suggestions["reasons"] = {"value": draw.sample(["wrong", "unreadable", "unsafe"], k=2), "score": [0.25, 0.75]}
    return {"text": f"{TEXTS[i % len(TEXTS)]} number{i}", "metadata": metadata, "suggestions": suggestions}


def made_dataset(server: Argilla, name: str, *, min_submitted: int = 2) -> str:
    [workspace] = [each for each in server.call("GET", "/me/workspaces")["items"] if each["name"] == "argilla"]
    distribution = {"strategy": "overlap", "min_submitted": min_submitted}
    made = server.call("POST", "/datasets", {"name": name, "workspace_id": workspace["id"], "distribution": distribution})["id"]

    def add(kind: str, name: str, **settings: Any) -> None:
        server.call("POST", f"/datasets/{made}/{kind}", {"name": name, "title": name, "settings": settings})

    def options(*values: Any) -> list[dict[str, Any]]:
        return [{"value": value, "text": str(value)} for value in values]

    server.call("POST", f"/datasets/{made}/fields", {"name": "prompt", "title": "p", "settings": {"type": "text"}})
    server.call("POST", f"/datasets/{made}/fields", {"name": "text", "title": "t", "required": True, "settings": {"type": "text"}})
    server.call("POST", f"/datasets/{made}/fields", {"name": "talk", "title": "c", "settings": {"type": "chat"}})
    verdict = {"type": "label_selection", "options": [{"value": value, "text": value} for value in ("keep", "fix", "discard")]}
    server.call("POST", f"/datasets/{made}/questions", {"name": "verdict", "title": "v", "required": True, "settings": verdict})
    add("questions", "readability", type="rating", options=[{"value": value} for value in range(1, 6)])
    add("questions", "reasons", type="multi_label_selection", options=options("wrong", "unreadable", "unsafe"))
    add("questions", "reasoning", type="text")
    for property_name, kind in (("domain", "terms"), ("tags", "terms"), ("tokens", "integer"), ("pass_rate", "float")):
        add("metadata-properties", property_name, type=kind)
    server.call("POST", f"/datasets/{made}/vectors-settings", {"name": "v", "title": "v", "dimensions": 2})
    server.call("PUT", f"/datasets/{made}/publish")
    return made


@pytest.fixture(scope="module")
def pool(argilla_server: Argilla) -> Iterator[Pool]:
    """24 records, answered in part by alice (most) and bob (few); carol has said nothing."""
    made = made_dataset(argilla_server, "search")
    questions = {each["name"]: each["id"] for each in argilla_server.call("GET", f"/datasets/{made}/questions")["items"]}
    rows = [made_row(i) for i in range(COUNT)]
    items = [
        {
            "external_id": f"r{i}",
            "fields": {"text": row["text"], "prompt": "common ground", "talk": [{"role": "user", "content": f"hello{i % 5}"}]},
            "metadata": row["metadata"],
            "suggestions": [{"question_id": questions[name], **said} for name, said in row["suggestions"].items()],
            "vectors": {"v": [float(i), 1.0]},
        }
        for i, row in enumerate(rows)
    ]
    there = argilla_server.call("POST", f"/datasets/{made}/records/bulk", {"items": items})["items"]
    ids = {each["external_id"]: each["id"] for each in there}
    responses: dict[tuple[int, str], tuple[str, dict[str, Any]]] = {}
    for i in range(COUNT):
        for who, chance in (("alice", 0.7), ("bob", 0.3)):
            draw = random.Random(f"{i} {who}")
            if draw.random() < chance:
                status = draw.choice(["submitted", "submitted", "draft", "discarded"])
                given = {"verdict": draw.choice(["keep", "fix", "discard"]), "readability": draw.randint(1, 5), "reasons": ["unsafe"]}
                responses[i, who] = (status, given)
                body = {"status": status, "values": {name: {"value": value} for name, value in given.items()}}
                argilla_server.call("POST", f"/records/{ids[f'r{i}']}/responses", body, who=who)
    yield Pool(argilla_server, made, ids, rows, responses)
    argilla_server.call("DELETE", f"/datasets/{made}")


def names(holds: Callable[[int], bool]) -> set[str]:
    return {f"r{i}" for i in range(COUNT) if holds(i)}


def test_everything_is_found_and_pages_do_not_overlap(pool: Pool) -> None:
    everything, total = pool.search()
    assert (len(everything), total) == (COUNT, COUNT)
    pages = [pool.search(who="carol", limit=7, offset=offset) for offset in range(0, COUNT, 7)]
    assert {total for _, total in pages} == {COUNT}
    assert sorted(name for page, _ in pages for name in page) == sorted(everything)
    assert pool.search(offset=COUNT) == ([], COUNT)


def test_the_order_is_each_persons_own_and_stays(pool: Pool) -> None:
    orders = {who: pool.search(who=who)[0] for who in ("alice", "bob", "carol")}
    assert len({tuple(order) for order in orders.values()}) == 3
    assert {who: pool.search(who=who)[0] for who in orders} == orders
    left = pool.search(who="carol", filters={"and": [terms(meta("domain"), "maths")]})[0]
    assert left == [name for name in orders["carol"] if name in left], "a filter takes records out and moves none"


def test_records_with_a_rank_are_asked_in_its_order_and_within_it_in_each_persons_own(argilla_server: Argilla) -> None:
    made = made_dataset(argilla_server, "ranked")
    argilla_server.call("POST", f"/datasets/{made}/metadata-properties", {"name": "rank", "title": "r", "settings": {"type": "integer"}})
    items = [{"external_id": f"r{i}", "fields": {"text": "t"}, "metadata": {"rank": i}} for i in random.Random(0).sample(range(120), k=120)]
    argilla_server.call("POST", f"/datasets/{made}/records/bulk", {"items": items})
    ranked = Pool(argilla_server, made, {}, [], {})
    orders = [[int(name[1:]) for name in ranked.search(who=who)[0]] for who in ("alice", "bob")]
    together = [list(range(50)), list(range(50, 100)), list(range(100, 120))]
    assert all([sorted(order[:50]), sorted(order[50:100]), sorted(order[100:])] == together for order in orders)
    assert orders[0][:50] != orders[1][:50]
    assert [ranked.search(who="bob", limit=1, offset=at)[0] for at in (0, 49, 119)] == [[f"r{orders[1][at]}"] for at in (0, 49, 119)]
    argilla_server.call("DELETE", f"/datasets/{made}")


def test_metadata_by_terms_and_ranges(pool: Pool) -> None:
    def of(i: int) -> dict[str, Any]:
        return pool.rows[i]["metadata"]

    assert pool.matching(terms(meta("domain"), "maths", "code")) == names(lambda i: of(i)["domain"] != "stem")
    assert pool.matching(terms(meta("tags"), "a")) == names(lambda i: "a" in of(i)["tags"]), "a list matches with any of its elements"
    assert pool.matching(between(meta("tokens"), 20, 40)) == {"r2", "r3", "r4"}
    assert pool.matching(between(meta("pass_rate"), le=0.5)) == names(lambda i: of(i).get("pass_rate", 1) <= 0.5), "missing matches nothing"
    assert pool.matching(between(meta("tokens"), "100")) == names(lambda i: i >= 10), "numbers may come as text"
    both = (terms(meta("domain"), "stem"), between(meta("tokens"), ge=100))
    assert pool.matching(*both) == names(lambda i: i % 3 == 2 and i >= 10)
    assert pool.matching(terms(meta("domain"), "'; DROP TABLE records; --")) == set()


def test_response_status_with_pending_is_each_persons_own(pool: Pool) -> None:
    for who in ("alice", "bob", "carol"):
        mine = {i: status for (i, whose), (status, _) in pool.responses.items() if whose == who}
        for status in ("submitted", "draft", "discarded"):
            assert pool.matching(terms(STATUS, status), who=who) == names(lambda i, s=status, m=mine: m.get(i) == s)
        assert pool.matching(terms(STATUS, "pending"), who=who) == names(lambda i, m=mine: i not in m)
        assert pool.matching(terms(STATUS, "pending", "draft"), who=who) == names(lambda i, m=mine: m.get(i, "draft") == "draft")
    anybody = {i for i, _ in pool.responses}
    assert pool.matching(terms(STATUS, "pending")) == names(lambda i: i not in anybody), "without a person: nobody has answered"
    drafts = {i for (i, _), (status, _) in pool.responses.items() if status == "draft"}
    assert pool.matching(terms(STATUS, "draft")) == names(lambda i: i in drafts)


def test_responses_by_value(pool: Pool) -> None:
    def given(i: int, question: str, who: str | None) -> list[Any]:
        return [values[question] for (at, whose), (_, values) in pool.responses.items() if at == i and who in (None, whose)]

    for who in (None, "alice", "bob"):
        assert pool.matching(terms(answered("verdict"), "fix"), who=who) == names(lambda i, w=who: "fix" in given(i, "verdict", w))
        assert pool.matching(terms(answered("readability"), "4", 5), who=who) == names(
            lambda i, w=who: bool({4, 5} & set(given(i, "readability", w)))
        ), "ratings arrive as text"
        high = names(lambda i, w=who: any(value >= 4 for value in given(i, "readability", w)))
        assert pool.matching(between(answered("readability"), ge=4), who=who) == high
        assert pool.matching(terms(answered("reasons"), "unsafe"), who=who) == names(lambda i, w=who: bool(given(i, "reasons", w)))


def test_suggestions_by_value_score_and_agent(pool: Pool) -> None:
    def said(i: int, question: str) -> dict[str, Any]:
        return pool.rows[i]["suggestions"].get(question, {})

    assert pool.matching(terms(suggested("verdict"), "keep")) == names(lambda i: said(i, "verdict").get("value") == "keep")
    assert pool.matching(terms(suggested("readability"), "5", "1")) == names(lambda i: said(i, "readability").get("value") in (1, 5))
    assert pool.matching(between(suggested("readability"), 2, 3)) == names(lambda i: said(i, "readability").get("value") in (2, 3))
    assert pool.matching(terms(suggested("reasons"), "wrong")) == names(lambda i: "wrong" in said(i, "reasons").get("value", []))
    assert pool.matching(between(suggested("verdict", "score"), ge=0.5)) == names(lambda i: said(i, "verdict")["score"] >= 0.5)
    assert pool.matching(between(suggested("reasons", "score"), ge=0.7)) == names(lambda i: bool(said(i, "reasons")))
    assert pool.matching(terms(suggested("verdict", "agent"), "judge-1")) == names(lambda i: i % 2 == 1)
    assert pool.matching(terms(suggested("readability", "agent"), "scorer:two")) == names(lambda i: bool(said(i, "readability")))


def test_records_by_id_status_and_time(pool: Pool) -> None:
    assert pool.matching(terms(record("external_id"), "r3", "r5", "nobody")) == {"r3", "r5"}
    assert pool.matching(terms(record("id"), pool.ids["r7"], "no id at all")) == {"r7"}
    done = {i for i in range(COUNT) if sum(pool.responses.get((i, who), ("", {}))[0] == "submitted" for who in ("alice", "bob")) == 2}
    assert done, "the test's own data"
    assert pool.matching(terms(record("status"), "completed")) == names(lambda i: i in done)
    assert pool.matching(between(record("inserted_at"), ge="2020-01-01")) == names(lambda i: True)
    assert pool.matching(between(record("inserted_at"), le="2020-01-01T00:00:00Z")) == set()
    assert pool.matching(between(record("updated_at"), ge="2020-01-01T00:00:00+02:00", le="2999-12-31")) == names(lambda i: True)
    with pytest.raises(Refused, match="422"):
        pool.matching(between(record("inserted_at"), ge="yesterday"))


def test_orders(pool: Pool) -> None:
    def by(scope: dict[str, Any], order: str = "asc", *, who: str | None = None) -> list[int]:
        return [int(name[1:]) for name in pool.search(who=who, sort=[{"scope": scope, "order": order}])[0]]

    def meta_of(i: int) -> float | None:
        return pool.rows[i]["metadata"].get("pass_rate")

    assert by(meta("tokens"), "desc") == list(reversed(range(COUNT)))
    missing = [i for i in range(COUNT) if meta_of(i) is None]
    present = sorted((i for i in range(COUNT) if meta_of(i) is not None), key=lambda i: meta_of(i) or 0)
    assert by(meta("pass_rate")) == present + missing
    assert by(meta("pass_rate"), "desc") == [*reversed(present), *missing], "missing is last both ways"
    assert by(record("inserted_at")) == list(range(COUNT)), "the order they were put in"
    scores = [pool.rows[i]["suggestions"]["verdict"]["score"] for i in by(suggested("verdict", "score"), "desc")]
    assert scores == sorted(scores, reverse=True)
    ratings = [pool.responses.get((i, "alice"), ("", {}))[1].get("readability") for i in by(answered("readability"), "desc", who="alice")]
    given = [rating for rating in ratings if rating is not None]
    assert ratings == sorted(given, reverse=True) + [None] * (COUNT - len(given))
    two = [{"scope": meta("domain"), "order": "desc"}, {"scope": meta("tokens"), "order": "desc"}]
    assert [int(name[1:]) for name in pool.search(sort=two)[0]] == sorted(range(COUNT), key=lambda i: (DOMAINS[i % 3], i), reverse=True)


def test_words(pool: Pool) -> None:
    def has(*which: int) -> set[str]:
        return names(lambda i: i % len(TEXTS) in which)

    assert pool.words("reconsider") == has(1, 3)
    assert pool.words("reconsider fox") == has(3), "words are joined by and"
    assert pool.words("QUADRATIC | check") == has(0, 1, 5)
    assert pool.words("fox -brown") == has(5)
    assert pool.words('"brown fox"') == has(3)
    assert pool.words('"fox brown"') == set()
    assert pool.words("equation*") == has(1, 3)
    assert pool.words("equation") == has(1), "words are whole"
    assert pool.words("(fox | check) -words") == has(0, 3)
    assert pool.words("因此") == has(2), "Chinese characters stand side by side"
    assert pool.words("答案 42") == has(2)
    assert pool.words("common", "prompt") == names(lambda i: True)
    assert pool.words("common", "text") == set()
    assert pool.words("hello3", "talk") == names(lambda i: i % 5 == 3)
    assert pool.words("think") == has(4)
    assert pool.words("-fox") == has(0, 1, 2, 4)
    assert pool.words("***") == set()
    both = pool.search(query={"text": {"q": "fox"}}, filters={"and": [terms(meta("domain"), DOMAINS[5 % 3])]})
    assert set(both[0]) == names(lambda i: i % 6 in (3, 5) and i % 3 == 2)
    with pytest.raises(Refused, match="Field `nowhere` not found"):
        pool.words("fox", "nowhere")


def test_nearest_vectors(pool: Pool) -> None:
    up = {"name": "v", "value": [0.0, 1.0]}
    found = pool.server.call("POST", f"/datasets/{pool.id}/records/search?limit=3", {"query": {"vector": up}})
    assert [item["record"]["external_id"] for item in found["items"]] == ["r0", "r1", "r2"]
    assert found["items"][0]["query_score"] == pytest.approx(1.0)
    assert found["total"] == 3, "as many as were asked for, as Elasticsearch counts neighbours"
    like = {"query": {"vector": {"name": "v", "record_id": pool.ids["r0"]}}, "filters": {"and": [terms(meta("domain"), "maths")]}}
    assert pool.search(limit=2, **like)[0] == ["r3", "r6"], "the record itself is not among them"
    far = {"vector": {**up, "order": "least_similar"}}
    assert pool.search(limit=1, query=far)[0] == [f"r{COUNT - 1}"]
    assert pool.search(limit=2, query={"vector": up, "text": {"q": "check"}})[0] == ["r0", "r6"]


def test_metrics_of_metadata(pool: Pool) -> None:
    properties = {each["name"]: each["id"] for each in pool.server.call("GET", f"/me/datasets/{pool.id}/metadata-properties")["items"]}

    def metrics(name: str) -> Any:
        return pool.server.call("GET", f"/metadata-properties/{properties[name]}/metrics", who="owner")

    assert metrics("tokens") == {"type": "integer", "min": 0, "max": (COUNT - 1) * 10}
    rates = [row["metadata"]["pass_rate"] for row in pool.rows if "pass_rate" in row["metadata"]]
    assert metrics("pass_rate") == {"type": "float", "min": min(rates), "max": max(rates)}
    domains = metrics("domain")
    assert (domains["type"], domains["total"]) == ("terms", COUNT)
    assert {each["term"]: each["count"] for each in domains["values"]} == dict.fromkeys(DOMAINS, COUNT // 3)
    assert metrics("tags")["total"] == sum(len(row["metadata"]["tags"]) for row in pool.rows)


def test_progress_of_everybody_and_of_each(pool: Pool) -> None:
    done = len(pool.matching(terms(record("status"), "completed")))
    progress = pool.server.call("GET", f"/datasets/{pool.id}/progress")
    assert (progress["total"], progress["completed"], progress["pending"]) == (COUNT, done, COUNT - done)
    for who in ("alice", "bob", "carol"):
        mine = [status for (_, whose), (status, _) in pool.responses.items() if whose == who]
        told = pool.server.call("GET", f"/me/datasets/{pool.id}/metrics", who=who)["responses"]
        assert {name: told[name] for name in ("submitted", "draft", "discarded")} == {
            name: mine.count(name) for name in ("submitted", "draft", "discarded")
        }
        assert told["pending"] == COUNT - len(mine)


def test_nothing_lags_behind(argilla_server: Argilla) -> None:
    """Every change is seen by the very next search: a response, its change and its end, metadata, suggestions, deletion."""
    made = made_dataset(argilla_server, "nothing-lags", min_submitted=1)
    question = argilla_server.call("GET", f"/datasets/{made}/questions")["items"][0]["id"]
    items = [{"external_id": f"r{i}", "fields": {"text": "t"}, "metadata": {"tokens": i}} for i in range(3)]
    there = argilla_server.call("POST", f"/datasets/{made}/records/bulk", {"items": items})["items"]
    ids = {each["external_id"]: each["id"] for each in there}
    pool = Pool(argilla_server, made, ids, [], {})

    response = argilla_server.call("POST", f"/records/{ids['r1']}/responses", {"status": "draft", "values": {}}, who="alice")["id"]
    assert pool.matching(terms(STATUS, "draft"), who="alice") == {"r1"}
    submitted = {"status": "submitted", "values": {"verdict": {"value": "keep"}}}
    argilla_server.call("PUT", f"/responses/{response}", submitted, who="alice")
    assert pool.matching(terms(record("status"), "completed")) == {"r1"}
    assert pool.matching(terms(STATUS, "pending"), who="alice") == {"r0", "r2"}
    argilla_server.call("DELETE", f"/responses/{response}", who="alice")
    assert pool.matching(terms(STATUS, "pending"), who="alice") == {"r0", "r1", "r2"}
    argilla_server.call("PATCH", f"/records/{ids['r0']}", {"metadata": {"tokens": 99}})
    assert pool.matching(between(meta("tokens"), ge=50)) == {"r0"}
    argilla_server.call("PUT", f"/records/{ids['r2']}/suggestions", {"question_id": question, "value": "fix"})
    assert pool.matching(terms(suggested("verdict"), "fix")) == {"r2"}
    argilla_server.call("DELETE", f"/datasets/{made}/records?ids={ids['r2']}")
    assert pool.search()[1] == 2
    argilla_server.call("DELETE", f"/datasets/{made}")
