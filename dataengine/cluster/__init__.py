"""Work on a Ray cluster: shards as tasks, actors that come back, verifiers on every node."""
