"""Management commands of the bots, one a module."""
