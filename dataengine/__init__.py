"""The data engine behind reasoning models: promises of folders, scorers, durable generation."""
