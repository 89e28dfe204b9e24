"""Management commands of the market, one a module."""
