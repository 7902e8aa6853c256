"""Which engine answers, models without a folder, and conversations as prompts: through a whole step, against a server on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine import shards
from dataengine.flags import add_machine, machine_of, parser_of, settings_of
from dataengine.generate import generate
from dataengine.inference.choose import kind_of, open_engine
from dataengine.inference.engine import Sampling
from dataengine.machine import Machine, OpenAI, Vllm
from dataengine.messages import MESSAGES, Messages, messages_in
from dataengine.run import run
from dataengine.sources import problems
from dataengine.step import Model
from tests.dataengine.inference.bad_server import Asked, chat, failing, serving


def machine(*argv: str) -> Machine:
    parser = parser_of("test", "")
    parser.add_argument("--config", action="config")
    add_machine(parser)
    return machine_of(settings_of(parser, list(argv)))


def test_the_flags_of_the_engines_are_their_fields() -> None:
    chosen = machine("--engine", "vllm", "--vllm.python", "/x/python", "--vllm.arguments", '["--a","b"]', "--openai.in_flight", "7")
    assert chosen == Machine(engine="vllm", vllm=Vllm(python="/x/python", arguments=("--a", "b")), openai=OpenAI(in_flight=7))


def test_a_file_says_the_same_and_flags_after_it_win(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("engine: openai\nopenai:\n  urls: ['http://a/v1']\n  in_flight: 3\n")
    assert machine("--config", str(config), "--openai.in_flight", "4") == Machine(
        engine="openai", openai=OpenAI(urls=("http://a/v1",), in_flight=4)
    )


def test_the_home_folder_in_a_file_of_settings_is_the_one_that_a_shell_means(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("vllm:\n  python: ~/vllm/bin/python\n")
    assert machine("--config", str(config)).vllm.python == str(Path.home() / "vllm/bin/python")


def test_a_wrong_engine_or_setting_is_answered_with_the_nearest_right_one() -> None:
    with pytest.raises(ValueError, match=r"no engine 'vlm'\. Did you mean 'vllm'"):
        Machine(engine="vlm")
    with pytest.raises(ValueError, match=r"no setting 'vllm\.pyton'\. Did you mean 'vllm\.python'"):
        machine("--vllm.pyton", "x")


def test_auto_follows_what_is_given() -> None:
    assert kind_of(Machine()) == "local"
    assert kind_of(Machine(vllm=Vllm(python="/x"))) == kind_of(Machine(vllm=Vllm(urls=("http://a",)))) == "vllm"
    assert kind_of(Machine(openai=OpenAI(urls=("http://a",)))) == "openai"
    assert kind_of(Machine(engine="local", vllm=Vllm(python="/x"))) == "local"


def test_a_served_model_is_a_folder_that_says_who_it_is_and_its_revision_is_part_of_everything(tmp_path: Path) -> None:
    old, new = Model.served("org/thinker", revision="1"), Model.served("org/thinker", revision="2")
    assert old.fingerprint != new.fingerprint != Model.served("org/thinker", revision="2", body={"effort": "high"}).fingerprint
    assert old.folder.startswith("org-thinker-")
    said = Machine(openai=OpenAI(urls=("http://127.0.0.1:9/v1",)))
    engines = [open_engine(run(model, tmp_path), longest=10, machine=said) for model in (old, new)]
    assert [each.model for each in engines] == ["org/thinker@1", "org/thinker@2"]
    assert engines[0].revision != engines[1].revision
    for each in engines:
        each.close()


def test_a_served_model_wants_an_address(tmp_path: Path) -> None:
    folder = run(Model.served("thinker"), tmp_path)
    with pytest.raises(ValueError, match=r"--openai\.urls"):
        open_engine(folder, longest=10, machine=Machine())
    with pytest.raises(ValueError, match="runs model folders"):
        open_engine(folder, longest=10, machine=Machine(engine="vllm"))


def test_a_step_asks_a_service_with_messages(tmp_path: Path) -> None:
    def answer(asked: Asked) -> object:
        if asked.number == 1:
            return failing(500)
        return chat("It is 4.", reasoning_content="2 and 2.")

    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps({"question": f"{n}+{n}?", "answer": str(2 * n)}) + "\n" for n in range(5)))
    asked = problems(str(file), columns={"question": "question", "answer": "answer"}, constants={"domain": "math"})
    model = Model.served("thinker", revision="7", body={"reasoning_effort": "low"})
    step = generate(asked, model, samples=2, template=MESSAGES, sampling=Sampling(max_tokens=50))
    with serving(answer) as server:
        made = shards.read(run(step, tmp_path / "runs", machine=Machine(openai=OpenAI(urls=(server.url,)))))
    assert len(made) == 10
    assert set(made["reasoning"]) == {"2 and 2."}
    assert set(made["summary"]) == {"It is 4."}
    assert set(made["model"]) == {"thinker@7"}
    assert made["engine"].str.contains("127.0.0.1").all()
    assert all(each.body["reasoning_effort"] == "low" and each.body["model"] == "thinker" for each in server.asked)


def test_a_conversation_is_read_back_as_it_was_written() -> None:
    said = [{"role": "user", "content": "Größe?"}, {"role": "assistant", "content": "{}"}, {"role": "user", "content": "2+2?"}]
    assert messages_in(MESSAGES.render(said)) == said
    brief = Messages(name="brief", text="{{ question }} Be brief.", system="You add.")
    assert messages_in(brief.render(said[-1:])) == [
        {"role": "system", "content": "You add."},
        {"role": "user", "content": "2+2? Be brief."},
    ]
    assert messages_in("What is 2+2?") is None
    assert messages_in('{"messages": [ what?') is None
    with pytest.raises(ValueError, match="no prefill"):
        Messages(name="m", text="{{ question }}", prefill="<think>")
