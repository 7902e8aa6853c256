"""The tokenizer of the tiny world: words, digits and single characters, and bytes for everything else."""

from __future__ import annotations

from itertools import islice

import regex
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from dataengine.recipes import tiny_corpus, tiny_world

CHINESE = ("等于多少", "请计算", "算一算", "请检查每一步", "先算", "我先算", "再算", "我再算", "等等", "检查", "让我验证", "答案是")
PIECES = r"</?think>|</?answer>|\\boxed\{|[A-Za-z]+ ?|[,:] |" + "|".join(sorted(CHINESE, key=len, reverse=True)) + r"|[\s\S]"
"""Words carry the space behind them; digits, signs and most Chinese characters stand alone."""
END, PADDING = "<eos>", "<pad>"


def tokenizer() -> PreTrainedTokenizerFast:
    """Words and digits; whatever the world does not know is spelled in bytes, so that decode(encode(text)) == text for every text."""
    known = [END, PADDING, *(f"<0x{byte:02X}>" for byte in range(256)), *map(chr, range(32, 127)), "\n", *sorted(_pieces())]
    core = Tokenizer(
        models.BPE(
            vocab={piece: place for place, piece in enumerate(dict.fromkeys(known))}, merges=[], byte_fallback=True, ignore_merges=True
        )
    )
    core.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False, model_max_length=512
    )


def _pieces() -> set[str]:
    texts = list(islice(tiny_corpus.documents(seed=0), 5000))
    texts += [tiny_world.r1_response(["I "], 0, language) for language in ("en", "zh")]
    return {piece for text in texts for piece in regex.findall(PIECES, text)}
