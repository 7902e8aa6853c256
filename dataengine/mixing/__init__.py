"""A mix from inside: quotas, what is known of each row, the pass that moves the text, and what is short."""
