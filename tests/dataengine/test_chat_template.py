from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataengine.chat_template import chat_template
from dataengine.inference.weights import prompt_ids
from dataengine.step import identity
from tests.dataengine.inference.tiny_models import characters

CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is not defined or enable_thinking %}{{- '<think>\\n' }}{%- endif %}{%- endif %}"
)
DATED = "{{ bos_token }}Today: {{ strftime_now('%d %b %Y') }}\n{% for m in messages %}{{ m.content }}{% endfor %}"
ALTERNATING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role here') }}{% endif %}{{ messages[-1].content }}"


def folder(path: Path, *, config: dict[str, Any], separate: str | None = None) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    if separate is not None:
        (path / "chat_template.jinja").write_text(separate)
    return path


def asked(text: str, *, system: str | None = None) -> list[dict[str, str]]:
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]


def test_it_renders_what_the_tokenizer_itself_would(tmp_path: Path) -> None:
    tokenizer = characters()
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(tmp_path)
    messages = asked("x < y & {{ z }}", system="Be brief.")
    choices: list[dict[str, Any]] = [{}, {"enable_thinking": False}]
    for switches in choices:
        theirs = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **switches)
        assert chat_template(tmp_path, **switches).render(messages) == theirs


def test_an_opening_that_the_template_writes_belongs_to_the_response(tmp_path: Path) -> None:
    place = folder(tmp_path, config={}, separate=CHATML)
    assert chat_template(place).prefill == "<think>\n"
    assert chat_template(place).render(asked("1+1?")).endswith("assistant\n<think>\n")
    assert chat_template(place, enable_thinking=False).prefill == ""
    assert identity(chat_template(place)) != identity(chat_template(place, enable_thinking=False))


def test_the_date_in_a_prompt_never_moves(tmp_path: Path) -> None:
    place = folder(tmp_path, config={"bos_token": {"content": "<s>"}, "chat_template": DATED})
    assert chat_template(place).render(asked("Hi")) == "<s>Today: 20 Jan 2025\nHi"


def test_of_several_named_templates_the_default_is_taken(tmp_path: Path) -> None:
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": DATED}]
    assert chat_template(folder(tmp_path, config={"chat_template": named, "bos_token": "<s>"})).text == DATED


def test_the_beginning_token_that_a_template_wrote_is_not_doubled(tmp_path: Path) -> None:
    tokenizer = characters()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    place = folder(tmp_path, config={"bos_token": "<s>", "chat_template": DATED})
    assert prompt_ids(tokenizer, chat_template(place).render(asked("Hi"))).count(tokenizer.convert_tokens_to_ids("<s>")) == 1  # type: ignore[arg-type]  # one text gives one id


def test_a_template_that_refuses_says_why(tmp_path: Path) -> None:
    place = folder(tmp_path, config={"chat_template": ALTERNATING})
    with pytest.raises(ValueError, match="no system role here"):
        chat_template(place).render(asked("Hi", system="x"))
    with pytest.raises(ValueError, match="wants a user message"):
        chat_template(place).render([{"role": "system", "content": "x"}])


def test_a_base_model_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no chat template"):
        chat_template(folder(tmp_path, config={}))
