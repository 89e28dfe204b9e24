"""What the gateway makes of every answer: the right error, one POST, and no secret anywhere."""

import logging
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler

import pytest

from integrations.bybit.client import QuietHTTP
from integrations.bybit.codes import CODES, Means
from integrations.bybit.gateway import Gateway
from integrations.bybit.refusals import BAN_MS, LONGEST_WAIT_MS, AddressBanned, ClockSkew
from market.exchange import (
    AlreadyExists,
    Broken,
    ExchangeError,
    NoSuchOrder,
    RateLimited,
    Refused,
    Unresolved,
    WouldTake,
)
from market.types import OrderRequest, Side, decimal
from tests.bybit.conftest import KEY, SECRET
from tests.bybit.fake_rest import (
    Answer,
    Asked,
    FakeRest,
    cut_short,
    dropped,
    ok,
    page,
    raw,
    refused,
    silent,
)

CREATE, CANCEL, REALTIME = "/v5/order/create", "/v5/order/cancel", "/v5/order/realtime"
REQUEST = OrderRequest("g1-3-0-B-1", "PEPEUSDT", Side.BUY, decimal("0.00000416"), decimal("1E+6"))
ERRORS = {
    Means.REFUSED: Refused,
    Means.EXISTS: AlreadyExists,
    Means.GONE: NoSuchOrder,
    Means.CROSSED: WouldTake,
    Means.RATE_LIMITED: RateLimited,
    Means.BANNED: AddressBanned,
    Means.UNRESOLVED: Unresolved,
    Means.SKEWED: ClockSkew,
    Means.BROKEN: Broken,
}


def failure(gateway: Gateway) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        gateway.place(REQUEST)
    return caught.value


@pytest.mark.parametrize("code", [*CODES, 999_999, 170_999, 12])
def test_every_code_becomes_its_error_after_one_post(
    bybit: FakeRest, gateway: Gateway, code: int
) -> None:
    bybit.on(CREATE, refused(code, "words of the exchange"))
    error = failure(gateway)
    means = CODES[code].means if code in CODES else Means.UNRESOLVED
    assert isinstance(error, ERRORS[means])
    assert str(code) in str(error)
    assert "words of the exchange" in str(error)
    assert len(bybit.to(CREATE)) == 1


def test_the_codes_that_prove_nothing_are_never_taken_for_a_no() -> None:
    ambiguous = {
        10000, 10006, 10014, 10016, 10019, 10403, 10429, 20003, 20006, 170001, 170005, 170007,
        170032, 170146, 170222, 500000,
    }  # fmt: skip
    for code in ambiguous:
        assert CODES[code].means in (Means.UNRESOLVED, Means.RATE_LIMITED), code


YES = '{"retCode": 0, "result": {"orderId": "1", "orderLinkId": "g1-3-0-B-1"}}'
GARBAGE = {
    "html": raw("<html><h1>502</h1></html>"),
    "empty": raw(""),
    "list": raw("[]"),
    "null": raw("null"),
    "number": raw("7"),
    "text": raw('"retCode"'),
    "object without retCode": raw('{"result": {"orderId": "1"}}'),
    "retCode as text": raw('{"retCode": "0", "result": {"orderId": "1"}}'),
    "retCode null": raw('{"retCode": null}'),
    "retCode true": raw('{"retCode": false, "result": {"orderId": "1"}}'),
    "deeply nested": raw("[" * 200_000),
    "not utf-8": raw('{"retCode": 0'),
    "cut short": cut_short,
    "dropped": dropped,
    "no order id": ok({}),
    "empty order id": ok({"orderId": "", "orderLinkId": "g1-3-0-B-1"}),
    "another order": ok({"orderId": "5", "orderLinkId": "somebody-else"}),
    "result is a list": ok([1, 2]),
    "500": raw(YES, 500),
    "201": raw(YES, 201),
    "502": raw("<html>", 502),
    "503": raw("", 503),
    "404": raw("", 404),
    "302": raw(YES, 302, {"Location": CREATE}),
    "307": raw(YES, 307, {"Location": CREATE}),
    "308": raw(YES, 308, {"Location": CREATE}),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_proves_nothing_is_unresolved_after_one_post(
    bybit: FakeRest, gateway: Gateway, name: str
) -> None:
    bybit.on(CREATE, GARBAGE[name])
    error = failure(gateway)
    assert isinstance(error, Unresolved)
    assert not isinstance(error, RateLimited)
    assert len(bybit.asked) == 1


def test_no_answer_is_unresolved_within_the_timeout(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CREATE, silent(bybit))
    began = time.monotonic()
    assert isinstance(failure(gateway), Unresolved)
    assert time.monotonic() - began < 2
    assert len(bybit.asked) == 1


def test_nobody_listening_is_unresolved(bybit: FakeRest) -> None:
    gateway = Gateway("http://127.0.0.1:1", KEY, SECRET)
    assert isinstance(failure(gateway), Unresolved)
    with pytest.raises(Unresolved):
        gateway.balances()


@pytest.mark.parametrize(
    ("reset", "least", "most"),
    [
        (None, 500, 1_500),
        (-3_600_000, 0, 600),
        (400, 100, 900),
        (3_600_000, 3_000, LONGEST_WAIT_MS + 500),
    ],
)
def test_rate_limit_says_until_when_and_never_sleeps(
    bybit: FakeRest, gateway: Gateway, reset: int | None, least: int, most: int
) -> None:
    now = int(time.time() * 1000)
    headers = {} if reset is None else {"X-Bapi-Limit-Reset-Timestamp": str(now + reset)}
    bybit.on(CREATE, refused(10006, "Too many visits!", headers))
    error = failure(gateway)
    assert isinstance(error, RateLimited)
    assert least <= error.until_ms - now <= most
    assert time.time() * 1000 - now < 500
    assert len(bybit.asked) == 1


def test_a_malformed_reset_header_does_no_harm(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CREATE, refused(10006, "", {"X-Bapi-Limit-Reset-Timestamp": "soon"}))
    assert isinstance(failure(gateway), RateLimited)


def test_http_403_means_ten_minutes_of_rest(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CREATE, raw("access too frequent", 403))
    now = int(time.time() * 1000)
    error = failure(gateway)
    assert isinstance(error, RateLimited)
    assert error.until_ms - now >= BAN_MS
    assert len(bybit.asked) == 1


def test_http_401_is_broken_and_429_a_rate_limit(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(CREATE, raw("", 401), raw("", 429))
    assert isinstance(failure(gateway), Broken)
    assert isinstance(failure(gateway), RateLimited)


def test_cancel_is_sent_once_and_says_when_there_is_no_such_order(
    bybit: FakeRest, gateway: Gateway
) -> None:
    bybit.on(CANCEL, refused(170213), dropped, refused(170142), ok({"orderId": "1"}))
    with pytest.raises(NoSuchOrder):
        gateway.cancel("DOGEUSDT", "g1-3-0-B-1")
    with pytest.raises(Unresolved):
        gateway.cancel("DOGEUSDT", "g1-3-0-B-1")
    with pytest.raises(NoSuchOrder):
        gateway.cancel("DOGEUSDT", "g1-3-0-B-1")
    gateway.cancel("DOGEUSDT", "g1-3-0-B-1")
    assert len(bybit.asked) == 4


@pytest.mark.parametrize("trouble", [dropped, raw("", 502), refused(10016), raw("<html>")])
def test_a_read_is_repeated_a_little(bybit: FakeRest, gateway: Gateway, trouble: object) -> None:
    bybit.on(REALTIME, trouble, trouble, page())
    assert gateway.open_orders() == []
    assert len(bybit.asked) == 3
    bybit.on(REALTIME, trouble)
    with pytest.raises(Unresolved):
        gateway.open_orders()
    assert len(bybit.asked) == 6


@pytest.mark.parametrize("trouble", [refused(10006), raw("", 403), refused(10004), refused(10001)])
def test_a_read_is_not_repeated_where_that_cannot_help(
    bybit: FakeRest, gateway: Gateway, trouble: object
) -> None:
    bybit.on(REALTIME, trouble)
    with pytest.raises(ExchangeError):
        gateway.open_orders()
    assert len(bybit.asked) == 1


def test_without_a_key_nothing_is_sent(bybit: FakeRest) -> None:
    gateway = Gateway(bybit.url, "", "")
    assert isinstance(failure(gateway), Broken)
    assert bybit.asked == []


@pytest.mark.parametrize(
    ("symbol", "client_id"),
    [("DOGE USDT", "a"), ("doge", "a"), ("", "a"), ("DOGEUSDT", "x" * 37), ("DOGEUSDT", "a&b=c")],
)
def test_what_bybit_cannot_spell_is_not_sent(
    bybit: FakeRest, gateway: Gateway, symbol: str, client_id: str
) -> None:
    with pytest.raises(ValueError, match="accepted"):
        gateway.cancel(symbol, client_id)
    assert bybit.asked == []


def test_a_wrong_base_url_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="must look like https://"):
        Gateway("api.bybit.com", KEY, SECRET)


def chain(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def locals_of(error: BaseException) -> str:
    """What an error page would print: every local of every frame of the traceback."""
    return "\n".join(
        "".join(traceback.TracebackException.from_exception(each, capture_locals=True).format())
        for each in chain(error)
    )


@pytest.mark.parametrize(
    "answer",
    [
        refused(10004, f"error sign! origin_string[1763000000000{KEY}5000{{}}] {SECRET}"),
        refused(10003, f"API key {KEY} is invalid"),
        raw("<html>"),
        raw("", 403),
        dropped,
        cut_short,
    ],
)
def test_no_secret_shows_anywhere(
    bybit: FakeRest, answer: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bybit.on(CREATE, answer)
    gateway = Gateway(bybit.url, KEY, SECRET, timeout=(1.0, 0.5))
    error = failure(gateway)
    signature = next(
        value for name, value in bybit.asked[0].headers.items() if name.upper() == "X-BAPI-SIGN"
    )
    assert len(chain(error)) == 1
    shown = [repr(error), str(error), "".join(traceback.format_exception(error)), caplog.text]
    shown += [
        repr(gateway),
        repr(gateway._session),
        repr(gateway._session._http()),
        *capfd.readouterr(),
    ]
    for text in shown:
        assert SECRET not in text
        assert KEY not in text
        assert signature not in text
    frames = locals_of(error)
    inside = frames[frames.index("integrations/bybit/gateway.py") :]
    assert signature not in inside
    assert SECRET not in inside


def test_pybit_gets_no_handler_of_its_own() -> None:
    http = QuietHTTP(api_key=KEY, api_secret=SECRET)
    assert not [h for h in http.logger.handlers if type(h) is logging.StreamHandler]


def test_each_thread_has_its_own_client(bybit: FakeRest, gateway: Gateway) -> None:
    bybit.on(REALTIME, page())
    gateway.open_orders()
    gateway.open_orders()
    other = threading.Thread(target=gateway.open_orders)
    other.start()
    other.join()
    first, second, third = (one.thread for one in bybit.asked)
    assert first == second != third


def clocked(skew_ms: int) -> Answer:
    """Bybit's rule for time stamps, by a clock that differs from ours."""

    def answer(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        server = int(time.time() * 1000) + skew_ms
        head = {name.lower(): value for name, value in asked.headers.items()}
        stamp, window = int(head["x-bapi-timestamp"]), int(head["x-bapi-recv-window"])
        fits = window == 5_000 and server - window <= stamp < server + 1_000
        said = ok({"orderId": "1", "orderLinkId": "g1-3-0-B-1"}) if fits else refused(10002)
        said(handler, asked)

    return answer


def telling(skew_ms: int) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        nano = time.time_ns() + skew_ms * 1_000_000
        ok({"timeSecond": str(nano // 10**9), "timeNano": str(nano)})(handler, asked)

    return answer


@pytest.mark.parametrize("skew_ms", [6_000, -1_200, -3_600_000])
def test_a_clock_that_is_off_is_read_anew_and_the_same_order_goes_again(
    bybit: FakeRest, gateway: Gateway, skew_ms: int
) -> None:
    bybit.on(CREATE, clocked(skew_ms))
    bybit.on("/v5/market/time", telling(skew_ms))
    assert gateway.place(REQUEST) == "1"
    first, second = bybit.to(CREATE)
    assert first.body == second.body
    assert second.is_signed_with(KEY, SECRET)
    gateway.place(REQUEST)
    assert len(bybit.to(CREATE)) == 3, "the clock is right from now on"
    assert len(bybit.to("/v5/market/time")) == 1


@pytest.mark.parametrize("trouble", [raw("", 503), ok({}), ok({"timeNano": "soon"}), telling(0)])
def test_a_clock_that_cannot_be_mended_is_broken_after_one_more_try(
    bybit: FakeRest, gateway: Gateway, trouble: Answer
) -> None:
    bybit.on(CREATE, clocked(60_000))
    bybit.on("/v5/market/time", trouble)
    assert isinstance(failure(gateway), Broken)
    assert len(bybit.to(CREATE)) <= 2


def test_a_batch_refused_for_its_stamp_is_not_sent_again_past_its_time(
    bybit: FakeRest, gateway: Gateway
) -> None:
    def late(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        time.sleep(0.25)
        telling(6_000)(handler, asked)

    bybit.on("/v5/order/create-batch", clocked(6_000))
    bybit.on("/v5/market/time", late)
    outcomes = gateway.place_many([REQUEST, REQUEST], by=time.monotonic() + 0.2)
    assert all(isinstance(one, ClockSkew) for one in outcomes)
    assert len(bybit.to("/v5/order/create-batch")) == 1
