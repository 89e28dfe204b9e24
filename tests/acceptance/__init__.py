"""The acceptance checks of the pages, by number, with what was measured (`make acceptance`)."""
