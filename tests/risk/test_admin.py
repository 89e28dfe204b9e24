"""The limits in the admin: changed with a reason, loosened with a right of its own."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from bots.roles import Role
from risk import policy
from risk.models import AuditRow
from tests.factories import UserFactory

PAGE = "/admin/risk/policy/1/change/"


def visitor(*rights: str, role: Role | None = None) -> Client:
    user: User = UserFactory(username="ann", role=role, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def fields(**changes: str) -> dict[str, str]:
    row = policy.current()
    return {name: str(getattr(row, name)) for name in policy.thresholds()} | changes


@pytest.mark.django_db
def test_tightening_needs_the_right_to_change_and_a_reason() -> None:
    client = visitor("view_policy", "change_policy")
    answer = client.post(PAGE, fields(collar="0.05", reason=""))
    assert answer.status_code == 200
    assert b"This field is required" in answer.content
    assert client.post(PAGE, fields(collar="0.05", reason="calm")).status_code == 302
    assert str(policy.current().collar) == "0.050000"
    row = AuditRow.objects.get(what="policy")
    assert (row.who, row.origin, row.reason) == ("ann", "admin 127.0.0.1", "calm")


@pytest.mark.django_db
def test_loosening_needs_its_own_right() -> None:
    client = visitor("view_policy", "change_policy")
    answer = client.post(PAGE, fields(collar="0.2", reason="hurry"))
    assert answer.status_code == 200
    assert b"risk.loosen_policy" in answer.content
    assert str(policy.current().collar) in {"0.10", "0.100000"}
    assert not AuditRow.objects.exists()


@pytest.mark.django_db
def test_the_role_admin_may_loosen_and_a_trader_may_not_even_change() -> None:
    admin = visitor(role=Role.ADMIN)
    assert admin.post(PAGE, fields(collar="0.2", reason="wide market")).status_code == 302
    assert str(policy.current().collar) == "0.200000"
    User.objects.filter(username="ann").update(username="was-ann")
    trader = visitor(role=Role.TRADER)
    assert trader.post(PAGE, fields(collar="0.01", reason="x")).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("name", policy.thresholds())
def test_no_limit_is_loosened_without_the_right(name: str) -> None:
    """Half or double: one is tighter and may be, the other is looser."""
    before = getattr(policy.current(), name)
    small, large = before / 2 if isinstance(before, Decimal) else before // 2, before * 2
    tighter, looser = (large, small) if policy.is_looser_below(name) else (small, large)
    with pytest.raises(policy.NotAllowed, match=f"{name} would be looser"):
        policy.change({name: looser}, by="ann", may_loosen=False, reason="hurry")
    with pytest.raises(policy.NotAllowed, match="needs a reason"):
        policy.change({name: tighter}, by="ann", may_loosen=True, reason=" ")
    changed = policy.change({name: tighter}, by="ann", may_loosen=False, reason="calm")
    assert getattr(changed, name) == tighter


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["halt", "guard", "guardevent", "auditrow", "policy"])
def test_every_page_opens(page: str) -> None:
    assert visitor(role=Role.ADMIN).get(f"/admin/risk/{page}/").status_code == 200
