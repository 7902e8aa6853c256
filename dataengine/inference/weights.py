"""A Hugging Face model folder in memory: the causal language model with our attention, its tokenizer, and a hash of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from dataengine.inference import attention

PLAIN_TOKENIZERS = ("TokenizersBackend", "PreTrainedTokenizerFast")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
CONTENT = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "*.parquet",
)
"""What decides what a model says (or a recording replays); a manifest or a training state beside it does not."""


def load_model(folder: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu") -> PreTrainedModel:
    """The causal language model of `folder` with the attention of this house, in evaluation mode; pass `use_cache=False` to its calls."""
    _check(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention.NAME)
    model.to(torch.device(device))  # pyright: ignore[reportArgumentType]  # a decorator hides self
    return model.eval()


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of `folder`, just as its tokenizer.json says.

    For some architectures (qwen2 among them) transformers' AutoTokenizer replaces the pre-tokenizer of a plain fast tokenizer by
    that of the architecture's first model, and whatever that one cannot spell vanishes; a folder that says "plain" is taken at its word.
    """
    _check(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ValueError(f"{folder} has no tokenizer (none of {', '.join(TOKENIZER_FILES)}): save the model's tokenizer there")
    config = folder / "tokenizer_config.json"
    said = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class") if config.is_file() else None
    if said in PLAIN_TOKENIZERS and (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def prompt_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokens of a rendered prompt: the beginning token that the model expects stands there once, even if the template wrote it.

    Of one that is too long nothing is printed: whoever asks looks how long it is.
    """
    written = bool(tokenizer.bos_token) and text.startswith(str(tokenizer.bos_token))
    return tokenizer(text, add_special_tokens=not written, verbose=False)["input_ids"]


def weights_revision(folder: Path) -> str:
    """Twelve hexadecimal digits of the content of the weights, the configuration and the tokenizer, or of recorded responses."""
    if not any(folder.glob("*.parquet")):
        _check(folder)
    total = hashlib.blake2b(digest_size=6)
    for path in sorted({path for pattern in CONTENT for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, hashlib.blake2b).digest())
    return total.hexdigest()


def _check(folder: Path) -> None:
    missing = [name for name in ("config.json", "*.safetensors") if not any(folder.glob(name))]
    if missing:
        raise ValueError(
            f"{folder} is not a model folder: it has no {' and no '.join(missing)}. Give a folder written by save_pretrained, "
            "or fetch one with `hf download NAME --local-dir FOLDER`"
        )
