"""Management commands of risk."""
