"""Measures the product on the real stack, and its peers against the same simulated portal."""
