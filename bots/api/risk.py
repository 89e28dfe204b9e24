"""The API of risk: the kill, what stands in the way now, and the audit trail."""

import time
from collections import defaultdict, deque
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from bots import live
from bots.api.errors import Conflict
from bots.api.idempotency import idempotent
from bots.api.permissions import MayKill, MayRead
from bots.api.reads import Resume as SwitchResume
from bots.api.reads import Rows
from bots.api.serializers import REASON_LENGTH, ResumeBody, Strict
from bots.models import Bot
from bots.reports.risk import report
from bots.roles import Role, roles_of
from bots.safety import guarding, killing
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError
from risk import halts
from risk.calls import Tally
from risk.models import AuditRow, Halt

ANSWER_WITHIN_S = 10.0

_tally = Tally()
_exchange = gateway_from_settings(alone=True, told=guarding.counted_in(_tally))


class KillBody(Strict):
    """Why to stop everything, and whether to sell what is held and cancel foreign orders, too."""

    reason = serializers.CharField(max_length=REASON_LENGTH)
    sell = serializers.BooleanField(default=False)
    foreign = serializers.BooleanField(default=False)


class KillThrottle(BaseThrottle):
    """Thirty kills a minute for each account, counted in this process: Redis may be away.

    It shares nothing with other calls, so that no flood of those can use it up.
    """

    _CALLS, _SECONDS = 30, 60.0
    _seen: ClassVar[dict[int, deque[float]]] = defaultdict(deque)

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        seen, now = self._seen[request.user.pk], time.monotonic()
        while seen and now - seen[0] > self._SECONDS:
            seen.popleft()
        if len(seen) >= self._CALLS:
            self._wait = self._SECONDS - (now - seen[0])
            return False
        seen.append(now)
        return True

    def wait(self) -> float:
        return self._wait


class Kill(APIView):
    """Stop everything: no order is sent any more, and ours are cancelled.

    Answers when the exchange was seen empty of our orders, or after ten seconds with INCOMPLETE;
    the watchdog goes on to the second look.
    """

    permission_classes: ClassVar[tuple[type[BasePermission], ...]] = (MayKill,)
    throttle_classes = (KillThrottle,)

    @idempotent(repeatable=True)
    def post(self, request: Request) -> Response:
        body = KillBody(data=request.data)
        body.is_valid(raise_exception=True)
        halt = killing.kill(
            _exchange,
            reason=body.validated_data["reason"],
            by=request.user.get_username(),
            origin=_from(request),
            sell=body.validated_data["sell"],
            foreign=body.validated_data["foreign"],
            enough=killing.seen_empty_within(ANSWER_WITHIN_S),
        )
        _tally.write()
        live.hint(None, "state")
        return Response(_killed(halt))


def _killed(halt: Halt) -> dict[str, Any]:
    end = halt.first_empty_at or halt.tended_at or halt.opened_at
    began = halt.committed_at or halt.opened_at
    return {
        "halt_id": halt.pk,
        "state": halt.state if halt.first_empty_at else Halt.State.INCOMPLETE.value,
        "bots": list(Bot.objects.exclude(config=None).values_list("slug", flat=True)),
        "cancelled": halt.cancelled,
        "open_orders": halt.open_orders,
        "cancel_ms": round((end - began).total_seconds() * 1000),
    }


class Resume(SwitchResume):
    """Let bots buy again; after a kill an admin says so with `rearm` and a reason."""

    body = ResumeBody

    def prepare(self, wish: dict[str, Any]) -> None:
        """Lift the kill, if one stands. Raises PermissionDenied, Conflict."""
        user = self.request.user
        if "rearm" in wish and Role.ADMIN not in roles_of(user):
            raise PermissionDenied("rearm needs the role admin")
        if halts.killed() is None:
            return
        if "rearm" not in wish or "all" not in wish:
            raise Conflict(
                "a kill stands for all bots; an admin lifts it with "
                '{"all": true, "rearm": true, "reason": "..."}'
            )
        try:
            killing.rearm(
                _exchange, by=user.get_username(), reason=wish["reason"], origin=_from(self.request)
            )
        except halts.NotPossible as error:
            raise Conflict(str(error)) from error
        except ExchangeError as error:
            raise Conflict(
                f"the exchange does not answer, so nothing is lifted: {error}"
            ) from error


def _from(request: Request) -> str:
    return f"API {request.META.get('REMOTE_ADDR', '')}".strip()


class Risk(APIView):
    """What is at stake, what watches, what stops trading now, and what did before."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(report())


class AuditEntry(serializers.ModelSerializer[AuditRow]):
    """A row of the audit trail."""

    class Meta:
        model = AuditRow
        fields = [
            "number", "at", "who", "origin", "what", "subject", "before", "after", "reason",
            "previous", "seal",
        ]  # fmt: skip
        read_only_fields = fields


class AuditQuery(Strict):
    """Which rows."""

    always = ("cursor", "limit")
    what = serializers.CharField(required=False)
    subject = serializers.CharField(required=False)
    who = serializers.CharField(required=False)


class Audit(Rows):
    """Who changed what, from where and why; the newest first."""

    query = AuditQuery
    columns: ClassVar[dict[str, str]] = {"what": "what", "subject": "subject", "who": "who"}
    serializer_class = AuditEntry
    queryset = AuditRow.objects.all()
