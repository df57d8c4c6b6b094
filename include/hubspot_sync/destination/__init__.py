"""Where the records go: the destination contract, and HubSpot as its implementation."""
