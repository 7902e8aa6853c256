"""Model folders: loaded with our attention, named by content, refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers.utils import logging

from dataengine.inference.attention import NAME
from dataengine.inference.local import LocalEngine
from dataengine.inference.weights import load_model, load_tokenizer, prompt_ids, weights_revision
from tests.dataengine.inference.tiny_models import characters, tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model and its tokenizer as transformers saves them."""
    tiny(attention="sdpa").save_pretrained(tmp_path / "tiny")
    characters().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_a_folder_is_loaded_with_our_attention(folder: Path) -> None:
    model = load_model(folder)
    assert model.config._attn_implementation == NAME
    assert not model.training
    assert load_model(folder, dtype=torch.bfloat16).dtype == torch.bfloat16
    engine = LocalEngine.of(folder, slots=16, context=64, device="cpu")
    assert (engine.model, engine.revision, engine.capacity) == ("tiny", weights_revision(folder), 16)


def test_the_revision_changes_with_the_content_and_nothing_else(folder: Path) -> None:
    before = weights_revision(folder)
    (folder / "manifest.json").write_text("{}")
    assert weights_revision(folder) == before
    model = load_model(folder)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1
    model.save_pretrained(folder)
    assert weights_revision(folder) != before


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no config.json and no \*.safetensors"):
        load_model(tmp_path)
    tiny(attention="sdpa").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_tokenizer(tmp_path)


def test_the_beginning_token_stands_there_once() -> None:
    tokenizer = characters()
    assert prompt_ids(tokenizer, "ab") == [1, 2]
    tokenizer.add_special_tokens({"bos_token": "<end>"})
    assert prompt_ids(tokenizer, "<end>ab") == [0, 1, 2]


def test_a_prompt_that_is_too_long_is_counted_in_silence(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.model_max_length = 4
    logging.enable_propagation()
    try:
        assert len(prompt_ids(tokenizer, "what is 2 + 2?")) > 4
        assert "longer than" not in caplog.text
        tokenizer("what is 2 + 2?")
        assert "longer than" in caplog.text, "transformers says it of others"
    finally:
        logging.disable_propagation()
