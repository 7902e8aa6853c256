"""The recipe `cold_start` with problems of a file and a teacher at a service, until it waits for people."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dataengine import shards
from dataengine.errors import WaitsForPeople
from dataengine.machine import Machine, OpenAI
from dataengine.recipes.cold_start import Review, cold_start
from dataengine.run import run

NUMBERS = (17, 23, 31, 48, 56, 64)


def reply_to(prompt: str) -> str:
    """What the teacher says: thoughts of a "we" to even sums, told again by an "I" when it is asked to; another summary after examples."""
    left, right = map(int, re.findall(r"baker bakes (\d+) rolls and then (\d+)", prompt)[-1])
    who = "We" if (left + right) % 2 == 0 and "<reasoning>" not in prompt else "I"
    thoughts = f"{who} add {left} and {right}, which makes {left + right}.\n\nWait, {who} should check: {left + right} - {right} = {left}."
    if "between <reasoning>" in prompt:
        return f"<reasoning>{thoughts}</reasoning>"
    ending = " in all" if "=== Problem 2" in prompt else ""
    return f"<think>\n{thoughts}\n</think>\n\nThe baker bakes ${left} + {right} = \\boxed{{{left + right}}}$ rolls{ending}."


class Teacher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._say({"object": "list", "data": [{"id": "teacher", "object": "model"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": reply_to(asked["messages"][-1]["content"])}
        choices = [{"index": place, "message": message, "finish_reason": "stop"} for place in range(asked.get("n") or 1)]
        self._say({"choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 9 * len(choices)}})

    def _say(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test's output stays clean."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Teacher) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


@pytest.fixture
def problems(tmp_path: Path) -> str:
    asked = "On the first day of the fair a baker bakes {} rolls and then {} rolls more. How many rolls is that in all?"
    lines = [
        {"question": asked.format(number, number + 2 + place % 2), "answer": str(2 * number + 2 + place % 2)}
        for place, number in enumerate(NUMBERS)
    ]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(tmp_path / "problems.jsonl")


def test_a_teacher_at_a_service_fills_two_sources_refines_them_and_people_are_asked(problems: str, url: str, tmp_path: Path) -> None:
    step = cold_start(
        problems=problems, teacher="teacher", constants={"domain": "math", "language": "en"}, samples=2, opening="|t|", closing="|t|"
    )
    machine = Machine(workers=1, engine="openai", openai=OpenAI(urls=(url,)))
    with pytest.raises(WaitsForPeople, match="12 of 12 rows wait"):
        run(step, tmp_path / "runs", machine=machine)
    rows = shards.read(next((tmp_path / "runs").glob("queue-????????")))
    assert sorted(rows["source_kind"]) == ["direct"] * 6 + ["few_shot"] * 6
    assert all(messages[0]["content"].startswith("On the first day") and len(messages) == 1 for messages in rows["messages"])
    assert rows["reasoning"].str.starts_with("I add ").all()
    assert rows["response"].str.starts_with("|t|\nI add ").all()
    told_again = [
        refined
        for refined in rows["refined"].to_list()
        if any(one["refinement"] == "first_person" and one["did"] == "done" for one in refined)
    ]
    assert len(told_again) == 2 * sum((2 * number + 2 + place % 2) % 2 == 0 for place, number in enumerate(NUMBERS))


def test_a_cold_start_without_a_model_is_refused_with_the_flags_that_name_one(problems: str) -> None:
    with pytest.raises(ValueError, match=r"--teacher .*--zero"):
        cold_start(problems=problems)


def test_guidelines_that_are_not_there_are_refused(problems: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file of guidelines"):
        cold_start(problems=problems, teacher="teacher", review=Review(guidelines=str(tmp_path / "none.md")))
