"""The model under training: loading, one packed forward pass, AdamW on float32 master weights, learning rates, saving.

Axes: _L position of a pack, _T trained token.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dataengine.inference.weights import load_model
from trainers.head import Chosen, chosen_logprobs
from trainers.packing import Pack

Dtype = Literal["float32", "bfloat16"]
Shape = Literal["cosine", "constant"]

BETAS = (0.9, 0.95)
"""Ours: the R1 papers name no optimizer; these are the usual ones of language models (DeepSeek-V3 pre-training)."""


def torch_device(name: str) -> str:
    """Where training happens: `auto` is the GPU where there is one."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def chosen(model: PreTrainedModel, pack: Pack, *, temperature: float = 1.0) -> Chosen:
    """log p of every target of the pack under softmax(logits / temperature) and the entropy at it, with gradients where enabled."""
    head = model.get_output_embeddings()
    assert isinstance(head, torch.nn.Linear)
    assert head.bias is None
    return chosen_logprobs(states(model, pack), head.weight, pack.targets_T.to(model.device), temperature=temperature)


def states(model: PreTrainedModel, pack: Pack) -> Tensor:
    """The hidden states that predict the pack's targets. [T, hidden size]"""
    hidden_LH = model.base_model(
        input_ids=pack.input_ids_L[None].to(model.device),
        position_ids=pack.segments.positions()[None].to(model.device),
        segments=pack.segments,
        use_cache=False,
    ).last_hidden_state[0]
    return hidden_LH.index_select(0, pack.sources_T.to(model.device))


def learning_rate(update: int, *, peak: float, floor: float, warmup: int, updates: int, shape: Shape) -> float:
    """The rate of update number `update` (from 0) of `updates`: linear warm-up, then constant, or a cosine that ends at peak x floor."""
    if update < warmup:
        return peak * ((update + 1) / warmup)
    if shape == "constant":
        return peak
    done = (update - warmup) / max(1, updates - 1 - warmup)
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


class Optimizer:
    """AdamW on float32 master weights, of which the model holds either the tensors themselves or a bfloat16 copy.

    A working copy's gradients are summed in float32 across packs, and the copy is written anew after each update, so that
    rollouts and training read the same tensors.
    """

    def __init__(self, model: PreTrainedModel, *, folder: Path, weight_decay: float) -> None:
        self.parameters = dict(model.named_parameters())
        self.masters = self.parameters if model.dtype == torch.float32 else _float32_masters(folder, model)
        matrices = [master for master in self.masters.values() if master.ndim >= 2]
        vectors = [master for master in self.masters.values() if master.ndim < 2]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, fused=True)

    def collect(self) -> None:
        """Move a working copy's gradients to the masters; wanted after every backward pass."""
        if self.masters is self.parameters:
            return
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                master = self.masters[name]
                master.grad = parameter.grad.float() if master.grad is None else master.grad.add_(parameter.grad)
                parameter.grad = None

    def step(self, *, lr: float, max_norm: float) -> float:
        """Clip the gradients to a global norm, update, forget them; the norm before clipping. A norm that is no number is an error."""
        norm = float(torch.nn.utils.clip_grad_norm_(list(self.masters.values()), max_norm))
        if not math.isfinite(norm):
            raise RuntimeError(
                f"the gradient norm is {norm}: nothing was updated; lower the learning rate, then run again from the last state"
            )
        for group in self.adam.param_groups:
            group["lr"] = lr
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self._write_copy()
        return norm

    def state(self) -> dict[str, Any]:
        """Masters and moments, for a checkpoint."""
        return {"masters": {name: master.detach() for name, master in self.masters.items()}, "adam": self.adam.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """What `state` gave, written into the tensors that are there."""
        with torch.no_grad():
            for name, master in self.masters.items():
                master.copy_(state["masters"][name])
        self.adam.load_state_dict(state["adam"])
        self._write_copy()

    def _write_copy(self) -> None:
        if self.masters is not self.parameters:
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(self.masters[name])


def _float32_masters(folder: Path, model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    exact = load_model(folder, dtype=torch.float32, device=str(model.device))
    return dict(exact.named_parameters())


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, *, eos: int) -> None:
    """Write a Hugging Face model folder whose generation ends at `eos` beside the end tokens it had."""
    generation = model.generation_config
    assert generation is not None
    known = generation.eos_token_id
    known = known if isinstance(known, list) else [] if known is None else [known]
    generation.eos_token_id = [eos, *(token for token in known if token != eos)] if any(t != eos for t in known) else eos
    model.config.use_cache = True  # off while training; whoever loads the folder wants it on
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.config.use_cache = False


def as_tensor(values: Any, like: Tensor) -> Tensor:
    """Numbers as a tensor of the type and place of `like`."""
    return torch.as_tensor(values, dtype=like.dtype, device=like.device)
