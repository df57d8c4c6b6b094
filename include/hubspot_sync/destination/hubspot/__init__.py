"""HubSpot's CRM API: requests, answers, decisions."""
