"""LLaMA-Factory's own loader, aligner and template on an exported folder: the rows it would train on."""

# The packages are those of another environment.
# pyright: reportMissingImports=false
from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments, ModelArguments
from small_model import tokenizer
from transformers import Seq2SeqTrainingArguments

if __name__ == "__main__":
    folder, work = sys.argv[1:3]
    data = DataArguments(dataset="train", dataset_dir=folder, template="qwen", cutoff_len=4096, overwrite_cache=True)
    training = Seq2SeqTrainingArguments(output_dir=work, do_train=True, use_cpu=True, report_to="none")
    words = tokenizer()
    template = get_template_and_fix_tokenizer(words, data)
    model = ModelArguments(model_name_or_path=work, cache_dir=work)
    rows = get_dataset(template, model, data, training, stage="sft", tokenizer=words)["train_dataset"]
    row = rows[0]
    trained = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100]
    print("FOUND " + json.dumps({"rows": len(rows), "text": words.decode(row["input_ids"]), "trained": words.decode(trained)}))
