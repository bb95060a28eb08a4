"""Where a persona stands in the residual stream, and what follows from being moved there."""
