"""What a run tells the outside: log fields, metrics, alerts."""
