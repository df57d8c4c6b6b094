"""The rules of a sync: plan, deliver, verify, recover, judge."""
