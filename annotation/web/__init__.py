"""The review page: the server behind it, and the page itself."""
