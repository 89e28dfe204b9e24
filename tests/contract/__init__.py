"""Every row of the order path and of the streams in the fault catalogue, by its number."""
