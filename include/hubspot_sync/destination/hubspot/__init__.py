"""HubSpot contacts over HTTP: one request per call, one verdict per answer."""
