"""POST /api/kill: stop everything, and how far that has come."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import live
from bots.api import answers
from bots.api.asking import told
from bots.api.fields import Flag, Text
from bots.api.idempotency import idempotent
from bots.api.permissions import MayKill
from bots.api.serializers import REASON_LENGTH, Strict
from bots.api.throttling import KillThrottle
from bots.models import Bot
from bots.safety import guarding, killing
from integrations.bybit.account import gateway_from_settings
from risk.calls import Tally
from risk.models import Halt

ANSWER_WITHIN_S = 10.0

_tally = Tally()
EXCHANGE = gateway_from_settings(alone=True, told=guarding.counted_in(_tally))


class KillBody(Strict):
    """Why to stop everything, and whether to sell what is held and cancel foreign orders, too."""

    shape: ClassVar[Mapping[str, Any]] = {"example": {"reason": "smoke", "sell": False}}

    reason = Text(max_length=REASON_LENGTH)
    sell = Flag(default=False)
    foreign = Flag(default=False)


class Kill(APIView):
    """Stop everything: no order is sent any more, and ours are cancelled.

    Answers when the exchange was seen empty of our orders, or after ten seconds with INCOMPLETE;
    the watchdog goes on to the second look.
    """

    permission_classes: ClassVar[tuple[type[BasePermission], ...]] = (MayKill,)
    throttle_classes = (KillThrottle,)

    @extend_schema(request=KillBody, responses=answers.Killed)
    @idempotent(repeatable=True)
    def post(self, request: Request) -> Response:
        wish = told(request, KillBody)
        halt = killing.kill(
            EXCHANGE,
            reason=wish["reason"],
            by=request.user.get_username(),
            sell=wish["sell"],
            foreign=wish["foreign"],
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
