"""What stands in a text: scripts, languages, sentences, tokens, numbers, repetitions; in passes over whole columns."""
