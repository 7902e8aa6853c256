"""Tiny random models and a tokenizer of single characters, for the tests of the inference room."""

from __future__ import annotations

import string

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from dataengine.inference.attention import NAME

KINDS = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}
TEXTS = ["<end>", *string.ascii_letters, *string.digits, *" .,+-=?/<>\n", "</answer>", "r>"]


def tiny(
    kind: str = "qwen2", *, tied: bool = False, attention: str = NAME, ends: tuple[int, ...] = (0,), width: int = 32
) -> PreTrainedModel:
    """A randomly initialised model with grouped key/value heads, always the same one."""
    torch.manual_seed(0)
    config, model = KINDS[kind]
    shape = {"vocab_size": len(TEXTS), "hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2} | ({"head_dim": 8} if kind == "qwen3" else {})
    made = model(config(**shape, **heads, tie_word_embeddings=tied, max_position_embeddings=512, attn_implementation=attention)).eval()
    assert made.generation_config is not None
    made.generation_config.eos_token_id = list(ends)
    for parameter in made.parameters():
        parameter.data *= 2  # far from uniform, so that greedy choices are clear
    return made


def characters(end: str | None = "<end>") -> PreTrainedTokenizerFast:
    """One token for each character, an end token where one is wanted, and two longer ones."""
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(TEXTS)}, [], fuse_unk=False))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end)
