"""The built-in place where people answer: one SQLite file for each queue."""
