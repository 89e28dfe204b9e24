"""Grids as rows: bots, their versioned configs, cells, orders, fills and round trips."""

from bots.models.account import ApiToken, CapitalMove, FeeRate
from bots.models.backtests import RECORDED, Backtest
from bots.models.capture import Capture, Spell
from bots.models.days import DayOfBooks, DayOfFills, DayOfTrips, StaleDay
from bots.models.grids import Bot, Cell, GridConfig, Opening, Shift
from bots.models.ledger import Booking, BookLine
from bots.models.orders import Fill, Order, RoundTrip

__all__ = [
    "RECORDED",
    "ApiToken",
    "Backtest",
    "BookLine",
    "Booking",
    "Bot",
    "CapitalMove",
    "Capture",
    "Cell",
    "DayOfBooks",
    "DayOfFills",
    "DayOfTrips",
    "FeeRate",
    "Fill",
    "GridConfig",
    "Opening",
    "Order",
    "RoundTrip",
    "Shift",
    "Spell",
    "StaleDay",
]
