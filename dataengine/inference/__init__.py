"""Engines that answer prompts: in this process, recorded, or behind a server."""
