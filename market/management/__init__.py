"""Management commands of the market."""
