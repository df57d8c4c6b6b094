"""Programs around the product: simulators and the local stack. Never part of the image."""
