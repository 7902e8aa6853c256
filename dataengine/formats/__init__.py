"""Shapes of rows that others read and write: a file for each, with both directions."""
