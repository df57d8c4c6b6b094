"""Replaces the HubSpot key in Secrets Manager, and reminds people to put a new one there."""
