"""The page that lets a bot buy for an hour in spite of its gate, and that ends this."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bots import control
from bots.pages.shell import bot_named, for_admins, frame
from bots.safety.guarding import is_gate_open
from bots.switches import look
from bots.terms import references_of


@for_admins
@require_http_methods(["GET", "POST"])
def gate(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what an open gate means; open it when a reason was given, or have it heeded again."""
    bot = bot_named(slug)
    is_open, trouble, who = is_gate_open(bot), "", request.user.get_username()
    if request.method == "POST":
        reason = request.POST.get("reason", "").strip()[:300]
        try:
            if is_open:
                control.heed_gate(bot, by=who)
                words = f"{bot.name} heeds its gate again."
            else:
                control.open_gate(bot, by=who, reason=reason)
                words = f"{bot.name} may buy for an hour whatever its gate says."
        except control.NotPossible as error:
            trouble = f"Nothing was done: {error}."
        else:
            look(bot)
            messages.success(request, words)
            return redirect("bot", slug)
    pairs = [pair.removesuffix("USDT") for pair in references_of(bot.config)]
    context = frame(request) | {
        "bot": bot, "is_open": is_open, "pairs": " and ".join(pairs), "trouble": trouble,
        "minutes": control.GATE_OPEN.seconds // 60,
    }  # fmt: skip
    return render(request, "gate.html", context, status=400 if trouble else 200)
