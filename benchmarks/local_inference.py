"""The in-process engine beside transformers' `generate`: the same weights, prompts, sampling and threads, in one process.

    python -m benchmarks.local_inference --threads 2
    python -m benchmarks.local_inference --threads 1 --clock cpu     # on a machine that others use too

Every side draws at temperature 1 until an end token or 128 tokens. The model is random, so that each token ends a response with
a chance of about (number of end tokens) / (vocabulary): lengths spread as they do in reasoning, where one long response keeps a
static batch waiting. `generate` gets its best setting that we know: SDPA attention, prompts sorted by length, left padding.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

from dataengine.inference.attention import NAME
from dataengine.inference.engine import Sampling
from dataengine.inference.local import LocalEngine
from dataengine.inference.weights import load_model, load_tokenizer, prompt_ids
from dataengine.recipes.tiny import MODELS
from dataengine.recipes.tiny_world import problems
from dataengine.templates import QUESTION

VOCABULARY, MOST = 320, 128


def model_with(attention: str, ends: int) -> PreTrainedModel:
    """A Qwen2 of 1.6 million parameters whose first `ends` tokens end a response."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=160,
        intermediate_size=480,
        num_hidden_layers=5,
        num_attention_heads=5,
        num_key_value_heads=1,
        max_position_embeddings=512,
    )
    config._attn_implementation = attention
    model = Qwen2ForCausalLM(config).eval()
    assert model.generation_config is not None
    model.generation_config.eos_token_id = list(range(ends))
    return model


def theirs(model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, batch: int, ends: int) -> int:
    """Tokens that `generate` made, padding not counted."""
    made = 0
    ordered = sorted(prompts, key=len)
    for start in range(0, len(prompts), batch):
        part = ordered[start : start + batch]
        longest = max(map(len, part))
        ids = torch.tensor([[0] * (longest - len(p)) + list(p) for p in part])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in part])
        out = model.generate(  # pyright: ignore[reportCallIssue]
            ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=MOST, pad_token_id=0
        )[:, longest:]
        ended = (out < ends).int()
        made += int((ended.cumsum(1) - ended == 0).sum())
    return made


def ours(engine: LocalEngine, prompts: Sequence[Sequence[int]], *, samples: int) -> int:
    """Tokens that the engine made."""
    return sum(len(response.token_ids) for _, response in engine.generate(prompts, Sampling(max_tokens=MOST), samples))


def rate(run: Callable[[], int], *, repeats: int, clock: Callable[[], float]) -> float:
    """Median tokens per second, after one run to warm up."""
    run()
    rates = []
    for _ in range(repeats):
        start = clock()
        made = run()
        rates.append(made / (clock() - start))
    return statistics.median(rates)


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logging.disable_progress_bar()
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    print(f"threads: {arguments.threads}; tokens per {arguments.clock} second, median of {arguments.repeats} runs\n")
    print("| prompts x samples | mean length | generate, 256 | generate, 64 | ours, 64 slots | ours, 256 slots | ratio of best |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for ends, prompts, samples in ((4, 256, 1), (8, 256, 1), (8, 16, 16), (12, 16, 16)):
        print(line(ends, prompts, samples, functools.partial(rate, repeats=arguments.repeats, clock=clock)), flush=True)
    print(shipped(functools.partial(rate, repeats=arguments.repeats, clock=clock)), flush=True)


def line(ends: int, count: int, samples: int, measured: Callable[[Callable[[], int]], float]) -> str:
    """All sides in one setting, as a line of the table."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(10, 60, (count,), generator=generator).tolist()
    prompts = [torch.randint(20, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]
    words = Tokenizer(models.WordLevel({f"w{i} ": i for i in range(VOCABULARY)}, "w0 "))
    peer, model = model_with("sdpa", ends), model_with(NAME, ends)
    engines = [LocalEngine(model, PreTrainedTokenizerFast(tokenizer_object=words), slots=slots, context=256) for slots in (64, 256)]
    repeated = [prompt for prompt in prompts for _ in range(samples)]
    peers = [measured(lambda batch=batch: theirs(peer, repeated, batch=batch, ends=ends)) for batch in (256, 64)]
    rates = [measured(lambda engine=engine: ours(engine, prompts, samples=samples)) for engine in engines]
    mean = ours(engines[0], prompts, samples=samples) / len(repeated)
    numbers = " | ".join(f"{number:,.0f}" for number in (*peers, *rates))
    return f"| {count} x {samples} | {mean:.0f} | {numbers} | {max(rates) / max(peers):.1f} |"


def shipped(measured: Callable[[Callable[[], int]], float]) -> str:
    """tiny-base on 256 questions of its own world, as a line of the table."""
    folder = MODELS / "base"
    tokenizer = load_tokenizer(folder)
    prompts = [prompt_ids(tokenizer, QUESTION.render(row["messages"])) for row in problems(256, seed=9, split="eval")]
    peer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    engines = [LocalEngine(load_model(folder), tokenizer, slots=slots, context=256) for slots in (64, 256)]
    peers = [measured(lambda batch=batch: theirs(peer, prompts, batch=batch, ends=1)) for batch in (256, 64)]
    rates = [measured(lambda engine=engine: ours(engine, prompts, samples=1)) for engine in engines]
    mean = ours(engines[0], prompts, samples=1) / len(prompts)
    numbers = " | ".join(f"{number:,.0f}" for number in (*peers, *rates))
    return f"| tiny-base, 256 x 1 | {mean:.0f} | {numbers} | {max(rates) / max(peers):.1f} |"


if __name__ == "__main__":
    main()
