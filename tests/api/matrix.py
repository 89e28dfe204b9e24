"""Who gets what where: a row for every route of the site, a cell for each method and caller.

A row names the roles that its door opens to and what they are answered by method; from it follows
what everybody else is answered. Routes without a row fail tests/api/test_matrix.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bots.roles import ADMINS, KILLERS, READERS, STEERERS, Role

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
EVERYBODY = frozenset(Role)


@dataclass(frozen=True)
class Caller:
    """Nobody, or an account of a role; staff may look at the admin."""

    role: Role | None
    staff: bool = False

    def __str__(self) -> str:
        return f"{'staff ' if self.staff else ''}{self.role or 'nobody'}"


PEOPLE = [Caller(None), *map(Caller, Role)]
STAFF = [Caller(role, staff=True) for role in Role]


Answers = Mapping[str, int]


@dataclass(frozen=True)
class Row:
    """A route: `answers` are statuses by method, HEAD as GET where nothing is posted.

    Roles in `late` are told that a method is wrong before they are told that they may not.
    """

    roles: frozenset[Role]
    answers: Answers
    stranger: int = 401  # what those without a login get
    late: frozenset[Role] = frozenset()
    free: Answers = field(default_factory=dict)  # open to all who are logged in

    def cell(self, method: str, caller: Caller) -> int:
        """The status."""
        answers = _with_head(self.answers)
        if caller.role is None:
            return self.stranger
        if caller.role in self.roles:
            return answers.get(method, 405)
        if method in self.free:
            return self.free[method]
        return 405 if caller.role in self.late and method not in answers else 403


@dataclass(frozen=True)
class Open:
    """A route for everybody; members are those who are logged in."""

    strangers: Answers
    members: Answers | None = None

    def cell(self, method: str, caller: Caller) -> int:
        """The status."""
        is_member = caller.role is not None and self.members is not None
        return _with_head(self.members if is_member else self.strangers).get(method, 405)


@dataclass(frozen=True)
class ByAdmins:
    """A route that answers admins whatever they send, and others as the row says."""

    others: Row

    def cell(self, method: str, caller: Caller) -> int:
        """The status."""
        return 200 if caller.role is Role.ADMIN else self.others.cell(method, caller)


def _with_head(answers: Answers | None) -> Answers:
    answers = answers or {}
    if "GET" not in answers or "POST" in answers:  # pages with forms take GET and POST alone
        return answers
    return {"HEAD": answers["GET"], **answers}


def reads(status: int = 200) -> Row:
    return Row(READERS, {"GET": status})


def page(status: int | None = 200, **more: int) -> Row:
    answers = ({} if status is None else {"GET": status}) | more
    return Row(READERS, answers, stranger=302)


def steers(status: int | None = 200, **more: int) -> Row:
    return Row(STEERERS, page(status, **more).answers, stranger=302)


Rows = Mapping[str, Row | Open | ByAdmins]
EVERY_METHOD = dict.fromkeys(METHODS, 404)
API: Mapping[str, Row] = {
    "api/bots": reads(),
    "api/bots/<slug:slug>": reads(),
    "api/bots/<slug:slug>/cells": reads(),
    "api/orders": reads(),
    "api/fills": reads(),
    "api/round-trips": reads(),
    "api/candles": reads(400),  # which symbol?
    "api/export/orders.csv": reads(),
    "api/export/fills.csv": reads(),
    "api/export/round-trips.csv": reads(),
    "api/export/candles.csv": reads(400),
    "api/metrics": reads(),
    "api/risk": reads(),
    "api/audit": reads(),
    "api/schema": reads(),
    "api/docs": reads(),
    "api/deploy": Row(STEERERS, {"POST": 400}),  # the body of the matrix is empty
    "api/rebalance": Row(STEERERS, {"POST": 409}),  # nobody shares capital
    "api/pause": Row(STEERERS, {"POST": 400}),
    "api/resume": Row(STEERERS, {"POST": 400}),
    "api/kill": Row(KILLERS, {"POST": 400}),
    "api/tv-alert": Open({"POST": 403}),  # no secret is set
    "api/health": Open({"GET": 200}),
    "api/": Open(EVERY_METHOD),
    "api/<anything:rest>": Open(EVERY_METHOD),
}
BACK = Row(STEERERS, {"GET": 302, "POST": 302}, 302, late=EVERYBODY, free={"GET": 302})
FORM = {"GET": 200, "HEAD": 200, "POST": 200, "PUT": 200, "OPTIONS": 200}
ONCE = {"POST": 302, "OPTIONS": 200}
PAGES: Rows = {
    "": page(),
    "health/": page(),
    "help/": page(),
    "preferences/": page(POST=302),
    "orders/": page(),
    "orders/export.csv": page(),
    "risk/": page(),
    "risk/halts/<int:number>/lift/": Row(ADMINS, {"POST": 404}, 302, late=READERS),
    "audit/": page(),
    "audit/export.csv": page(),
    "audit/verify/": page(None, POST=302),
    "market/": page(),
    "market/<slug:symbol>/": page(),
    "market/<slug:symbol>/figure/": page(),
    "backtests/": page(),
    "backtests/new/": steers(POST=400),
    "backtests/compare/": page(404),  # none was chosen
    "backtests/compare/figure/": page(404),
    "backtests/<int:number>/": page(404),  # there is none
    "backtests/<int:number>/progress/": page(404),
    "backtests/<int:number>/change/": steers(None, POST=404),
    "backtests/<int:number>/figures/<slug:name>/": page(404),
    "backtests/<int:number>/export.<str:kind>": page(404),
    "bots/new/": steers(POST=400),
    "bots/<slug:slug>/": page(),
    "bots/<slug:slug>/figures/<slug:name>/": page(),
    "bots/<slug:slug>/stop/": steers(POST=400),
    "bots/<slug:slug>/recentre/": steers(POST=400),
    "bots/<slug:slug>/edit/": steers(POST=400),
    "bots/<slug:slug>/gate/": Row(ADMINS, {"GET": 200, "POST": 400}, 302),  # it has none
    "figures/equity/": page(),
    "rebalance/": steers(POST=409),
    "pause/": steers(POST=302),
    "metrics": Open({"GET": 200}),  # the tests call from this machine
    "bots/<slug:slug>/pause/": BACK,
    "bots/<slug:slug>/resume/": BACK,
    "webhook/": Row(STEERERS, {"GET": 200}, 302, late=EVERYBODY),
    "kill/": Row(ADMINS, {"GET": 200, "POST": 400}, 302, late=EVERYBODY),
    "login/": Open(FORM, dict.fromkeys(METHODS, 302)),
    "logout/": Open(ONCE),
    "favicon.ico": Open({method: 301 for method in METHODS if method != "TRACE"}),
}

# --- the admin: nobody and who is not staff is led to its login, and so much for them ------------

ALL = dict.fromkeys(METHODS, 200)
_NO_TRACE = {method: 302 for method in METHODS if method != "TRACE"}
_READ = Row(READERS, ALL)
_CLOSED = Row(frozenset(), {})
_OF_ADMINS = Row(ADMINS, ALL)
ADMIN: Rows = {
    "": Open(ALL),
    "logout/": Open(ONCE),
    "password_change/": Open(FORM),
    "password_change/done/": Open({"GET": 200, "OPTIONS": 200}),
    "autocomplete/": Open({"GET": 403, "OPTIONS": 200}),
    "jsi18n/": Open({"GET": 200, "OPTIONS": 200}),
    "r/<path:content_type_id>/<path:object_id>/": Open(dict.fromkeys(METHODS, 404)),
    "^(?P<app_label>auth|market|integrations|risk|bots)/$": Row(
        READERS, ALL, free=dict.fromkeys(METHODS, 404)
    ),
    "(?P<url>.*)$": Open(dict.fromkeys(METHODS, 404)),
}
# Models whose pages show and change nothing; each is named, so that a new one fails.
SHOWN = (
    "market/instrument", "market/price", "integrations/alert",
    "integrations/parcel", "integrations/lane", "integrations/legacytrade", "risk/halt",
    "risk/guard", "risk/guardevent", "risk/auditrow", "bots/bot", "bots/cell", "bots/order",
    "bots/fill", "bots/roundtrip", "bots/capitalmove", "bots/booking", "bots/bookline",
    "bots/shift",
)  # fmt: skip


def admin_model(view: Row, change: Row | ByAdmins, add: Row, delete: Row) -> Rows:
    """The pages of a model."""
    return {
        "": view,
        "add/": add,
        "<path:object_id>/history/": view,
        "<path:object_id>/delete/": delete,
        "<path:object_id>/change/": change,
        "<path:object_id>/": Open(_NO_TRACE),
    }


_LOOK = Row(READERS, {**ALL, "POST": 403})
MODELS: Mapping[str, Rows] = {
    **{name: admin_model(_READ, _LOOK, _CLOSED, _CLOSED) for name in SHOWN},
    "bots/gridconfig": admin_model(_READ, _LOOK, Row(STEERERS, ALL), _CLOSED),
    "bots/apitoken": admin_model(_OF_ADMINS, Row(ADMINS, {**ALL, "POST": 403}), _OF_ADMINS,
                                 _OF_ADMINS),
    "risk/policy": admin_model(_READ, ByAdmins(_LOOK), _CLOSED, _CLOSED),
    "auth/group": admin_model(_CLOSED, _CLOSED, _CLOSED, _CLOSED),
    "auth/user": {
        "<id>/password/": _CLOSED,
        **admin_model(_CLOSED, _CLOSED, _CLOSED, _CLOSED),
    },
}  # fmt: skip


def staff_rows() -> Rows:
    """Rows of the admin for those who may enter it."""
    models = {
        f"admin/{model}/{page}": row for model, rows in MODELS.items() for page, row in rows.items()
    }
    return {f"admin/{page}": row for page, row in ADMIN.items()} | models


DOOR = "admin/login/"
SOCKETS: Mapping[str, frozenset[Role]] = {"ws/live/": READERS}
