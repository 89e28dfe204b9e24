"""What stands in a bot's way now, read from the open halts."""

from risk.models import Halt
from risk.rules import FREE, Limits, halted

ALL = "all"


def limits_for(subject: str) -> Limits:
    """The limits of one subject; a halt on all comes before its own."""
    open_halts = {
        halt.subject: halt
        for halt in Halt.objects.filter(subject__in=(ALL, subject), lifted_at=None)
    }
    for name in (ALL, subject):
        if name in open_halts:
            return halted(f"halted: {open_halts[name].reason}")
    return FREE
