"""What stands in a bot's way now, read from the open halts and the guards that withhold buys."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db.models.functions import Now

from risk import halts, pulse
from risk.halts import ALL
from risk.models import Guard, Halt
from risk.rules import FREE, Limits, halted, leaving, ranked, withheld

UNWATCHED = timedelta(seconds=30)  # the watchdog says each second that it has judged
TENDED = timedelta(seconds=5)  # a kill that nobody worked on for so long is left to the ticks


def limits_under(own: Limits, *subjects: str) -> Limits:
    """What is left of a bot's own limits beneath all that concerns these subjects of its."""
    if wish := halts.flagged():
        return ranked(own, kill=halted(f"killed: {wish.reason}"))
    found = list(Halt.objects.filter(subject__in=(ALL, *subjects), lifted_at=None))
    return _beneath(found, own, _gate(subjects).under(_unwatched()))


def limits_for(*subjects: str) -> Limits:
    """The same for one whose own state forbids nothing."""
    return limits_under(FREE, *subjects)


def stops_for(subjects: Sequence[str]) -> Mapping[str, str]:
    """Why each of these may not even sell, "" where it may; the halts of all in one query."""
    if wish := halts.flagged():
        reason = ranked(FREE, kill=halted(f"killed: {wish.reason}")).no_sells
        return dict.fromkeys(subjects, reason)
    found = list(Halt.objects.filter(subject__in=(ALL, *subjects), lifted_at=None))
    return {
        subject: _beneath([halt for halt in found if halt.subject in {ALL, subject}]).no_sells
        for subject in subjects
    }


def _beneath(found: list[Halt], own: Limits = FREE, gate: Limits = FREE) -> Limits:
    """What a gate and open halts leave of own limits."""
    kills = [halt for halt in found if halt.kind == Halt.Kind.KILL]
    plain = [halt for halt in found if halt.kind != Halt.Kind.KILL]
    return ranked(own, gate=gate, halt=_strictest(plain), kill=_strictest(kills))


def _gate(subjects: tuple[str, ...]) -> Limits:
    """What guards withhold: buys, or nothing."""
    closed = Guard.objects.filter(
        subject__in=(ALL, *subjects), no_buys=True, state=Guard.State.TRIPPED
    )
    reasons = [f"{guard.name}: {guard.did}" for guard in closed.order_by("id")]
    return withheld("; ".join(reasons)) if reasons else FREE


def _unwatched() -> Limits:
    """While the watchdog is silent no guard is judged, and what nobody watches buys nothing.

    One that never said a word was never started: that is a house without guards, by choice.
    """
    quiet = pulse.silence(pulse.WATCHDOG)
    if quiet is None or quiet <= UNWATCHED:
        return FREE
    return withheld(f"the watchdog has been silent for {quiet.total_seconds():.0f} s")


def _strictest(found: list[Halt]) -> Limits:
    """Of several halts, the one on all gives the reason."""
    limits = FREE
    for halt in sorted(found, key=lambda halt: halt.subject == ALL):
        word = "killed" if halt.kind == Halt.Kind.KILL else "halted"
        reason = f"{word}: {halt.reason}"
        limits = limits.under(leaving(reason) if halt.sell else halted(reason))
    return limits


def kill_at_work() -> bool:
    """Whether somebody cancels everything right now, so that ticks need not join in."""
    return Halt.objects.filter(
        subject=ALL,
        lifted_at=None,
        state__in=(Halt.State.CANCELLING, Halt.State.INCOMPLETE),
        tended_at__gt=Now() - TENDED,
    ).exists()
