"""Schemathesis on the API: everything that its document allows and forbids."""
