"""TRL's own trainers on exported folders, one step each: what they saw, as JSON."""

# The packages are those of another environment.
# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from datasets import load_dataset
from small_model import save, tokenizer
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

ONE_STEP = {"max_steps": 1, "use_cpu": True, "report_to": "none", "save_strategy": "no", "per_device_train_batch_size": 2}


def fine_tuned(folder: Path, work: Path) -> dict[str, Any]:
    """One step of SFTTrainer; the first row as it is trained on, and which of its tokens count."""
    rows = load_dataset(str(folder), split="train", cache_dir=str(work / "cache"))
    args = SFTConfig(output_dir=str(work / "sft"), max_length=4096, **ONE_STEP)
    trainer = SFTTrainer(str(save(work / "model")), args=args, train_dataset=rows, processing_class=tokenizer())
    seen = trainer.train_dataset[0]
    batch = next(iter(trainer.get_train_dataloader()))
    trained = [token for token, label in zip(batch["input_ids"][0].tolist(), batch["labels"][0].tolist(), strict=True) if label != -100]
    loss = trainer.train().training_loss
    return {"rows": len(rows), "text": tokenizer().decode(seen["input_ids"]), "trained": tokenizer().decode(trained), "loss": loss}


def reinforced(folder: Path, work: Path) -> dict[str, Any]:
    """One step of GRPOTrainer; the columns that the reward function was given."""
    rows = load_dataset(str(folder), split="train", cache_dir=str(work / "cache"))
    given: dict[str, Any] = {}

    def reward(completions: list[Any], solution: list[str], **columns: Any) -> list[float]:
        given.update({"solution": solution, **columns})
        return [float(len(completion[0]["content"])) for completion in completions]

    args = GRPOConfig(output_dir=str(work / "grpo"), num_generations=2, max_completion_length=4, **ONE_STEP)
    trainer = GRPOTrainer(str(save(work / "model")), reward, args=args, train_dataset=rows, processing_class=tokenizer())
    trainer.train()
    return {"rows": len(rows), "solution": given["solution"], "columns": sorted(given)}


if __name__ == "__main__":
    messages, completion, prompt, work = (Path(path) for path in sys.argv[1:5])
    found = {"trl": fine_tuned(messages, work / "a"), "trl-prompt-completion": fine_tuned(completion, work / "b")}
    print("FOUND " + json.dumps({**found, "trl-prompt": reinforced(prompt, work / "c")}))
