"""Runs inside a real Argilla server's own environment: what makes it do without Elasticsearch, and how it is started."""
