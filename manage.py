#!/usr/bin/env python
"""Runs one command of GridTrader; `manage.py help` lists them."""

from gridtrader.commandline import main

if __name__ == "__main__":
    main()
