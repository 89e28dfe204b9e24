"""Management commands of the house itself."""
