"""Random fault runs: two bots, all that can go wrong, and at the end nothing may be wrong."""
