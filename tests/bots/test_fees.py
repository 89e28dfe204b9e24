"""Fee rates: the account's own, kept for a day; who does not tell them is not asked on and on."""

from decimal import Decimal

import pytest

from bots.books import fees
from bots.grid.rates import Fees
from market.exchange import ExchangeError

D = Decimal
pytestmark = pytest.mark.django_db


class Desk:
    """An exchange that tells fee rates, or does not."""

    def __init__(self, told: Fees | None) -> None:
        self.told = told
        self.asked = 0

    def fee_rates(self, symbol: str) -> Fees:
        self.asked += 1
        if self.told is None:
            raise ExchangeError(f"not for {symbol}")
        return self.told


def test_rates_are_asked_for_once_a_day() -> None:
    desk = Desk(Fees(D("0.0002"), D("0.0005")))
    assert [fees.rates(desk, "BTCUSDT") for _ in range(3)] == [desk.told] * 3
    assert desk.asked == 1


def test_an_exchange_that_does_not_tell_is_left_alone_for_a_while() -> None:
    silent = Desk(None)
    assert [fees.rates(silent, "BTCUSDT") for _ in range(3)] == [fees.USUAL] * 3
    assert silent.asked == 1
    fees.rates(silent, "MNTUSDT")
    assert silent.asked == 2, "each pair has its own rates"
    fees.forget()
    open_again = Desk(Fees(D("0.0001"), D("0.0003")))
    assert fees.rates(open_again, "BTCUSDT") == open_again.told
