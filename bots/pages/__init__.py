"""The pages of the site beside the dashboard: doors for a browser, with and without JavaScript."""
