"""Cold-start rows from inside: prompts with worked examples, the one form, refinement by a model and what lands of it."""
