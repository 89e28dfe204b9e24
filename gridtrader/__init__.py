"""The house that all rooms stand in: settings, servers, supervisor, the web and worker entry points."""
