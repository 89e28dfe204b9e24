"""Signs of life: when each loop was last seen, by the machine's clock."""

from datetime import timedelta

from django.utils import timezone

from risk.models import Pulse

STREAM, WATCHDOG = "stream", "watchdog"


def beat(name: str) -> None:
    """This loop is alive."""
    Pulse.objects.update_or_create(name=name, defaults={"at": timezone.now()})


def silence(name: str) -> timedelta | None:
    """For how long nothing was heard of a loop; None when it never was."""
    seen = Pulse.objects.filter(name=name).values_list("at", flat=True).first()
    return None if seen is None else timezone.now() - seen
