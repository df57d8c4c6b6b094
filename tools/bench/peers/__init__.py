"""Other ways to bring the same contacts to HubSpot, each in the plainest form that is fair to it."""
