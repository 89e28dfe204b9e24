"""Grids that trade."""
