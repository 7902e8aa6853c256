"""Programs that nobody trusts: read out of a response, run behind walls, judged by their tests."""
