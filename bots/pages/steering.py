"""Pause, resume and stop as actions of the admin: asked once more, then done as the API does it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from bots import control, switches
from bots.control import NotPossible
from bots.models import Bot
from bots.roles import STEERERS, roles_of

REASON_LENGTH = 200  # characters


@dataclass(frozen=True, slots=True)
class Deed:
    """One action: what is asked before it, and what is told of each bot after it."""

    question: str
    consequence: str
    done: str
    carry_out: Callable[[Bot, str, str, str], object]  # the bot, who, why, and the way out


def _stop(bot: Bot, by: str, reason: str, way: str) -> None:
    control.stop(bot, exit=Bot.Exit(way), by=by, reason=reason)
    switches.look(bot)


DEEDS = {
    "pause": Deed(
        "Pause these bots?",
        "They buy nothing more until they are resumed. Their sells stay on the book.",
        "is paused",
        lambda bot, by, reason, _: switches.pause(bot, by=by, reason=reason),
    ),
    "resume": Deed(
        "Let these bots buy again?",
        "Their buys are placed with their next look at the market.",
        "is resumed",
        lambda bot, by, reason, _: switches.resume(bot, by=by, reason=reason),
    ),
    "stop": Deed(
        "Stop these bots for good?",
        "Their orders are cancelled. A stopped bot does not start again.",
        "is stopping",
        _stop,
    ),
}


class Steering(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list whose rows stand for bots that can be steered."""

    actions = ("pause", "resume", "stop")

    def bots_of(self, rows: QuerySet[Any]) -> Sequence[Bot]:
        """The bots that the chosen rows stand for."""
        return list(rows)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Whether the actions are offered and obeyed: the roles that the API asks for too."""
        return not STEERERS.isdisjoint(roles_of(request.user))

    @admin.action(description="Pause: no new buys, sells rest", permissions=["steer"])
    def pause(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._steer(request, rows, "pause")

    @admin.action(description="Resume: buy again", permissions=["steer"])
    def resume(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._steer(request, rows, "resume")

    @admin.action(description="Stop: leave the market", permissions=["steer"])
    def stop(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._steer(request, rows, "stop")

    def _steer(self, request: HttpRequest, rows: QuerySet[Any], name: str) -> HttpResponse | None:
        """Ask first; once that was confirmed, do it and tell bot by bot."""
        bots, way = self.bots_of(rows), request.POST.get("exit", "")
        if not bots:
            self.message_user(request, "No bot runs these versions.", messages.WARNING)
            return None
        if "confirmed" not in request.POST or (name == "stop" and way not in Bot.Exit.values):
            return self._question(request, rows, name, bots)
        by, reason = request.user.get_username(), request.POST.get("reason", "").strip()
        for bot in bots:
            try:
                DEEDS[name].carry_out(bot, by, reason[:REASON_LENGTH], way)
            except NotPossible as error:
                self.message_user(request, f"{error}.", messages.ERROR)
            else:
                self.log_change(request, bot, DEEDS[name].done.removeprefix("is "))
                self.message_user(request, f"{bot.name} {DEEDS[name].done}.", messages.SUCCESS)
        return None

    def _question(
        self, request: HttpRequest, rows: QuerySet[Any], name: str, bots: Sequence[Bot]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": DEEDS[name].question,
            "opts": self.opts,
            "deed": DEEDS[name],
            "action": name,
            "bots": bots,
            "chosen": list(rows.values_list("pk", flat=True)),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "ways": Bot.Exit.choices if name == "stop" else (),
            "usual_way": Bot.Exit.KEEP,
            "reason_length": REASON_LENGTH,
        }
        return TemplateResponse(request, "admin/steer.html", context)
