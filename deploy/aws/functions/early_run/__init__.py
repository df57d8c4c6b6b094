"""Starts a DAG run when an event asks for it."""
