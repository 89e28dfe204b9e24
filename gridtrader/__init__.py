"""The house that all rooms stand in: settings, servers, supervisor, entry points."""
