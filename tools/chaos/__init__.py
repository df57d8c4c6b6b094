"""Faults on a seeded schedule against the real product, and the invariants that must hold afterwards."""
