"""The thresholds of risk: reading them, and changing them with a reason.

Loosening a limit needs a permission of its own, tightening only the right to change it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Field

from risk import audit
from risk.models import Policy

LOOSEN = "risk.loosen_policy"

# Limits that a smaller number makes looser; every other one is looser when it is larger.
_LOOSER_BELOW = frozenset({"breaker_minutes", "btc_calm_minutes"})


class NotAllowed(Exception):
    """A change of the policy that this person may not make; the text says what is missing."""


def current() -> Policy:
    """The policy; its defaults are written the first time that somebody asks."""
    return Policy.objects.filter(pk=1).first() or Policy.objects.get_or_create(pk=1)[0]


def thresholds() -> list[str]:
    """The names of all thresholds."""
    fields: list[Field[Any, Any]] = list(Policy._meta.concrete_fields)  # noqa: SLF001 - documented
    return [field.name for field in fields if field.name != "id"]


def is_looser_below(name: str) -> bool:
    """Whether a smaller number makes this limit looser."""
    return name in _LOOSER_BELOW


def loosened(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of those thresholds that a change makes looser."""
    return [
        name
        for name, value in after.items()
        if (value < before[name] if name in _LOOSER_BELOW else value > before[name])
    ]


def locked() -> Policy:
    """The thresholds, which nobody else changes until the transaction ends."""
    return Policy.objects.select_for_update().get(pk=current().pk)


@transaction.atomic
def change(
    wishes: Mapping[str, Decimal | int], *, by: str, may_loosen: bool, reason: str, origin: str = ""
) -> Policy:
    """Set some thresholds. Raises NotAllowed without a reason, or to loosen without the right."""
    policy = locked()
    before = {name: getattr(policy, name) for name in wishes}
    changed = {name: value for name, value in wishes.items() if value != before[name]}
    if not changed:
        return policy
    if not reason.strip():
        raise NotAllowed("a change of a limit needs a reason")
    looser = loosened(before, changed)
    if looser and not may_loosen:
        raise NotAllowed(f"{', '.join(looser)} would be looser; that needs the permission {LOOSEN}")
    for name, value in changed.items():
        setattr(policy, name, value)
    policy.full_clean()
    policy.save(update_fields=list(changed))
    old = {name: before[name] for name in changed}
    audit.record(
        "policy", "all", who=by, origin=origin, before=old, after=changed, reason=reason.strip()
    )
    return policy
