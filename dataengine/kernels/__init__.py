"""Compiled passes over many texts: words, hashes, MinHash signatures."""
