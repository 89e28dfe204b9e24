"""Management commands of the outside services."""
