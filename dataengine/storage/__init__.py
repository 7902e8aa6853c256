"""What a crash must not spoil: append-only logs, keyed stores, locks, and a second home in a bucket."""
