"""What models are asked about."""
