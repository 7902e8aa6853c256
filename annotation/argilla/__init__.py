"""A queue in Argilla: pushed through its REST interface, answered in its page, and brought home whole."""
