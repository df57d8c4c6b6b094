"""What a destination can do, and the HubSpot implementation of it."""
