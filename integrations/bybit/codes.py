"""What each answer code of Bybit proves, and what a bot does about it: one table."""

from dataclasses import dataclass
from enum import StrEnum


class Means(StrEnum):
    """What is proven by a code. Only UNRESOLVED, RATE_LIMITED and BANNED leave the outcome open."""

    REFUSED = "a definite no: nothing happened"
    EXISTS = "the client id is taken: an earlier attempt landed"
    GONE = "the order is not on the book, or not any more"
    CROSSED = "a definite no: a post-only order would have taken"
    RATE_LIMITED = "too many requests; the outcome is not proven"
    BANNED = "this address is shut out; the outcome is not proven"
    UNRESOLVED = "the outcome is not proven"
    SKEWED = "nothing happened, and nothing will before the clock is read again"
    BROKEN = "nothing happened, and nothing will before a person acts"


class Action(StrEnum):
    """What a bot does about it."""

    LOOK_UP = "look the order up by its client id before anything else"
    ADOPT = "look the order up and take it as ours"
    KEEP_AWAY = "ten minutes without requests but a cancel a minute, then look up"
    WAIT = "wait for the limit to pass, look up, then resend the same id"
    SYNC_CLOCK = "measure the clock again, then resend the same id once"
    FIX = "never resend it unchanged, and ask for the pair's filters again"
    REPRICE = "the price is overtaken: decide again"
    PARK_FUNDS = "park the level and read the wallet again"
    PARK_PRICE = "park the level until the price limit admits it"
    STOP_ADDING = "place no more orders before some are closed"
    NOTHING = "what was wanted is so already"
    WITHHOLD = "withhold the pair's buys and alert, until its listing says that it trades"
    STOP_ALL = "withhold all buys and alert, until the keys are seen to work again"


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table. `words` say in our own terms what Bybit means."""

    means: Means
    action: Action
    words: str


def _rows(means: Means, action: Action, words: dict[int, str]) -> dict[int, Code]:
    return {code: Code(means, action, text) for code, text in words.items()}


#: Bybit v5, error codes; what the bot does is our own choice.
CODES: dict[int, Code] = {
    **_rows(
        Means.UNRESOLVED,
        Action.LOOK_UP,
        {
            10000: "server timed out",
            10014: "duplicate request",
            10016: "server error or restarting",
            10019: "order connection is draining",
            10429: "system protection",
            20006: "request id used twice",
            110079: "order is being processed",
            170001: "internal error",
            170007: "backend timed out",
            170032: "network error inside the exchange",
            170144: "order is locked",
            170146: "order creation timed out",
            170147: "order cancellation timed out",
            170149: "order creation failed",
            170150: "order cancellation failed",
            170191: "order is being processed",
            170212: "cancellation is being processed",
            170234: "system error",
            170310: "order modification timed out",
            170311: "order modification failed",
            500000: "internal error",
        },
    ),
    **_rows(
        Means.RATE_LIMITED,
        Action.WAIT,
        {
            10006: "too many requests for this account",
            10403: "too many requests from this address",
            20003: "too many requests on one connection",
            170005: "too many new orders",
            170222: "too many requests in this time",
        },
    ),
    **_rows(
        Means.EXISTS,
        Action.ADOPT,
        {110072: "client id already used", 170141: "client id already used"},
    ),
    **_rows(
        Means.GONE,
        Action.LOOK_UP,
        {
            110001: "no such order, or too late to cancel",
            110008: "order is finished or cancelled",
            110010: "order is cancelled already",
            170139: "order is filled already",
            170142: "order is cancelled already",
            170143: "order is not on the book",
            170190: "order is finished already",
            170213: "no such order",
        },
    ),
    **_rows(
        Means.SKEWED,
        Action.SYNC_CLOCK,
        {-1: "request expired on its way", 10002: "clocks differ too much"},
    ),
    **_rows(
        Means.BROKEN,
        Action.STOP_ALL,
        {
            -2015: "API key has expired",
            10003: "API key is not valid, or belongs to another environment",
            10004: "signature is not valid",
            10005: "API key lacks the permission",
            10007: "authentication failed",
            10008: "account is banned, or of another kind",
            10009: "address is banned",
            10010: "address is not bound to the API key",
            10024: "not allowed by compliance rules",
            10027: "trading is banned",
            10028: "only unified accounts may do this",
            33004: "API key has expired",
            170209: "not available in this region",
            **dict.fromkeys(range(110123, 110133), "account may not trade"),
        },
    ),
    **_rows(
        Means.REFUSED,
        Action.WITHHOLD,
        {
            10029: "symbol is not on the key's list",
            110074: "contract is not trading",
            170121: "no such symbol",
            170151: "symbol is not open for trading",
            170157: "symbol is not open to the API",
        },
    ),
    **_rows(
        Means.REFUSED,
        Action.PARK_FUNDS,
        {
            110004: "wallet balance is too low",
            110006: "assets are too low for the margin",
            110007: "available balance is too low",
            110012: "available balance is too low",
            110044: "available margin is too low",
            110045: "wallet balance is too low",
            110051: "available balance is below the lowest price",
            110052: "available balance is too low for this price",
            110053: "available balance is too low for the highest price",
            170033: "margin is too low",
            170131: "balance is too low",
        },
    ),
    **_rows(
        Means.REFUSED,
        Action.PARK_PRICE,
        {
            30208: "price is above the limit",
            30209: "price is below the limit",
            110003: "price is out of range",
            110120: "price is above the limit",
            110121: "price is below the limit",
            170132: "price is too high",
            170133: "price is too low",
            170192: "price is too far below the last",
            170193: "buy price is above the limit",
            170194: "sell price is below the limit",
            170371: "buy price is above the limit",
            170372: "sell price is below the limit",
        },
    ),
    **_rows(
        Means.REFUSED,
        Action.FIX,
        {
            10001: "a parameter is wrong",
            10017: "no such path",
            10404: "no such operation",
            110017: "reduce-only quantity would be zero",
            110022: "position may only be reduced",
            110023: "position may only be reduced",
            110066: "trading is not permitted now",
            110094: "order value is below the minimum",
            170124: "order amount is too large",
            170134: "price has too many decimals",
            170135: "quantity is above the maximum",
            170136: "quantity is below the minimum",
            170137: "quantity has too many decimals",
            170140: "order value is below the minimum",
            170148: "order amount has too many decimals",
            170197: "quantity is too large",
            170198: "quantity is too large",
            170341: "quantity is too large",
            170381: "quantity is above the maximum",
            170382: "quantity is above the maximum for post-only orders",
        },
    ),
    **_rows(
        Means.REFUSED,
        Action.REPRICE,
        {
            110103: "only post-only orders are accepted now",
            170210: "order was rejected",
            170217: "only post-only orders are accepted now",
        },
    ),
    170218: Code(Means.CROSSED, Action.REPRICE, "post-only order would take"),
    10018: Code(Means.BANNED, Action.KEEP_AWAY, "too many requests from this address"),
    **_rows(
        Means.REFUSED,
        Action.STOP_ADDING,
        {110020: "500 orders are open already", 170810: "500 orders are open already"},
    ),
    **_rows(
        Means.REFUSED,
        Action.NOTHING,
        {
            110025: "position mode is so already",
            110026: "margin mode is so already",
            110043: "leverage is so already",
        },
    ),
    110100: Code(Means.REFUSED, Action.WITHHOLD, "not available in demo trading"),
}

UNKNOWN = Code(Means.UNRESOLVED, Action.LOOK_UP, "not a code we know")


def code(number: int) -> Code:
    """The row of a retCode; what is not listed proves nothing."""
    return CODES.get(number, UNKNOWN)
