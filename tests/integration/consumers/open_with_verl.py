"""verl's own data sets on exported folders: the prompts it would ask, the references it would judge by, and rows to fine-tune on."""

# The packages are those of another environment.
# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from omegaconf import OmegaConf
from small_model import tokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn
from verl.utils.reward_score.math_reward import compute_score

if __name__ == "__main__":
    prompts, talks, work = (Path(path) for path in sys.argv[1:4])
    files = [str(path) for path in sorted(prompts.glob("*.parquet"))]
    config = OmegaConf.create({"cache_dir": str(work), "max_prompt_length": 4096, "filter_overlong_prompts_workers": 1})
    rows = RLHFDataset(files, tokenizer(), config)
    batch = collate_fn([rows[number] for number in range(len(rows))])
    said = MultiTurnSFTDataset(
        parquet_files=[str(path) for path in sorted(talks.glob("*.parquet"))],
        tokenizer=tokenizer(),
        config=OmegaConf.create({"max_length": 4096, "truncation": "error", "pad_mode": "no_padding"}),
    )
    truths = [reward["ground_truth"] for reward in batch["reward_model"]]
    found = {
        "rows": len(rows),
        "prompts": [list(prompt) for prompt in batch["raw_prompt"]],
        "truths": truths,
        "scores": [compute_score(f"\\boxed{{{truth}}}", truth) for truth in truths],
        "index": [int(index) for index in batch["index"]],
        "sources": list(batch["data_source"]),
        "talks": len(said),
        "talk": tokenizer().decode(said[0]["input_ids"]),
    }
    print("FOUND " + json.dumps(found))
