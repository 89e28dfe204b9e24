"""A database engine for PostgreSQL with or without TimescaleDB."""
