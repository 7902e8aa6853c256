"""Rejection sampling from inside: who is asked next, what comes back, who judges it, and when asking stops to pay."""
