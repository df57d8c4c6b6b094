"""Keep a HubSpot portal equal to a Kaggle dataset, and prove it."""
