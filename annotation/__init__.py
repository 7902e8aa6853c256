"""A person is a slow scorer: what to ask, and what they said."""
