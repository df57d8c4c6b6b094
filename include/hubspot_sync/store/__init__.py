"""MySQL: every statement and every transaction."""
