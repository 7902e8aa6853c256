"""Questions asked of a row, a file per subject; each is a scorer."""
