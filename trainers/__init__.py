"""Supervised fine-tuning, GRPO and evaluation on plain torch and transformers."""
