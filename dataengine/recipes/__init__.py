"""Whole roads as functions that return a promise."""
