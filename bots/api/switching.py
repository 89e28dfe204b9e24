"""POST /api/pause and /api/resume: one command for one bot, or for all that it could concern."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import switches
from bots.api import answers
from bots.api.asking import told
from bots.api.errors import Conflict
from bots.api.idempotency import idempotent
from bots.api.kill import EXCHANGE
from bots.api.permissions import MaySteer, opens
from bots.api.reads import bot_named
from bots.api.serializers import ResumeBody, SwitchBody
from bots.control import NotPossible
from bots.models import Bot
from bots.reports import cards
from bots.roles import ADMINS
from bots.safety import rearming
from market.exchange import ExchangeError
from risk import halts

State = Bot.State


class Switch(APIView):
    """One command for one bot or for all that it could concern."""

    permission_classes = (MaySteer,)
    concerned: ClassVar[tuple[str, ...]]
    change: ClassVar[Callable[..., Bot]]
    body: ClassVar[type[SwitchBody]] = SwitchBody

    def switch(self, request: Request) -> Response:
        """Do it. Raises ValidationError, NotFound, Conflict."""
        wish = told(request, self.body)
        self.prepare(wish)
        if "bot" in wish:
            bot = bot_named(wish["bot"])
            self._change([bot], wish["reason"])
            return Response(cards.card(bot))
        self._change(list(Bot.objects.filter(state__in=self.concerned)), wish["reason"])
        return Response({"bots": cards.cards()})

    def prepare(self, wish: dict[str, Any]) -> None:
        """Do what comes before any bot is changed; raises what forbids it."""

    def _change(self, bots: list[Bot], reason: str) -> None:
        """Try every bot, also after one that could not; raises Conflict with all that could not."""
        refused = []
        for bot in bots:
            try:
                type(self).change(bot, by=self.request.user.get_username(), reason=reason)
            except NotPossible as error:
                refused.append(str(error))
        if refused:
            others = "; the other bots are done" if len(bots) > len(refused) else ""
            raise Conflict("; ".join(refused) + others)


class Pause(Switch):
    """Withhold buys; sells rest. No new buy is sent after the answer."""

    concerned = (State.DEPLOYING, State.RUNNING, State.PAUSED)
    change = staticmethod(switches.pause)

    @extend_schema(request=SwitchBody, responses=answers.CARD_OR_CARDS)
    @idempotent(repeatable=True)
    def post(self, request: Request) -> Response:
        return self.switch(request)


class Resume(Switch):
    """Let bots buy again; after a kill an admin says so with `rearm` and a reason."""

    concerned = (State.RUNNING, State.PAUSED)
    change = staticmethod(switches.resume)
    body = ResumeBody

    @extend_schema(request=ResumeBody, responses=answers.CARD_OR_CARDS)
    @idempotent(repeatable=True)
    def post(self, request: Request) -> Response:
        return self.switch(request)

    def prepare(self, wish: dict[str, Any]) -> None:
        """Lift the kill, if one stands. Raises PermissionDenied, Conflict."""
        if "rearm" in wish and not opens(self.request, ADMINS):
            raise PermissionDenied("rearm needs the role admin")
        if halts.killed() is None:
            return
        if "rearm" not in wish or "all" not in wish:
            raise Conflict(
                "a kill stands for all bots; an admin lifts it with "
                '{"all": true, "rearm": true, "reason": "..."}'
            )
        try:
            rearming.rearm(
                EXCHANGE,
                by=self.request.user.get_username(),
                reason=wish["reason"],
            )
        except halts.NotPossible as error:
            raise Conflict(str(error)) from error
        except ExchangeError as error:
            raise Conflict(
                f"the exchange does not answer, so nothing is lifted: {error}"
            ) from error
