"""Files as the place where people answer: our own, and those of other tools."""
