"""The seed: the four bots of a fresh installation, the roles, the operator; and only once."""

import re
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from bots import seeds
from bots.models import Bot, GridConfig
from bots.roles import Role, roles_of

# The mission's table: symbol, capital, lower, upper, grids, stop-loss, waits for a stable BTC.
TABLE = {
    "btc-usdt": ("BTCUSDT", "25000", "95500", "99000", 12, "94800", False),
    "mnt-usdt": ("MNTUSDT", "6000", "1.04", "1.12", 15, "1.015", False),
    "doge-usdt": ("DOGEUSDT", "1500", "0.129", "0.145", 18, None, False),
    "pepe-usdt": ("PEPEUSDT", "1500", "0.00000416", "0.00000479", 24, "0.00000395", True),
}


@pytest.fixture
def folder(db: None, settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def logs_in(password: str) -> bool:
    form = {"username": "operator", "password": password}
    return Client().post("/login/", form).status_code == 302


def seed(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("seed")
    return capsys.readouterr().out


def state() -> list[object]:
    """Everything that a seed could have changed."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Bot, GridConfig, User, Group, User.groups.through, Group.permissions.through)
    ]


def test_the_four_bots_are_the_missions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(capsys)
    assert list(Bot.objects.values_list("slug", flat=True)) == list(TABLE)
    for slug, (symbol, capital, lower, upper, grids, stop, filtered) in TABLE.items():
        bot = Bot.objects.select_related("config").get(slug=slug)
        config = bot.config
        assert config is not None
        assert (bot.symbol, bot.state) == (symbol, Bot.State.DEPLOYING)
        assert (config.lower, config.upper) == (Decimal(lower), Decimal(upper))
        assert (config.grids, config.capital) == (grids, Decimal(capital))
        assert config.stop_loss == (None if stop is None else Decimal(stop))
        assert config.btc_filter is filtered
        assert (config.spacing, config.sizing) == ("arithmetic", "base")
        assert config.reserve == Decimal("0.05")
    total = sum(config.capital for config in GridConfig.objects.all())
    assert total == seeds.ACCOUNT == 34_000


def test_the_operator_logs_in_with_the_printed_password(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = seed(capsys)
    found = re.search(r"user operator, password (\S+)", said)
    assert found
    kept = folder / "operator-password"
    assert kept.read_text(encoding="ascii").strip() == found[1]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(found[1]) >= 20
    assert str(kept) in said
    operator = User.objects.get()
    assert operator.is_staff
    assert operator.is_superuser
    assert roles_of(operator) == {Role.ADMIN}
    assert list(operator.groups.values_list("name", flat=True)) == ["admin"]
    assert logs_in(found[1])


def test_a_second_run_changes_nothing_and_keeps_the_secret(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(capsys)
    before, password = state(), (folder / "operator-password").read_text(encoding="ascii").strip()
    said = seed(capsys)
    assert state() == before
    assert password not in said
    assert str(folder / "operator-password") in said


def test_what_people_changed_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed(capsys)
    Bot.objects.filter(slug="btc-usdt").update(state=Bot.State.STOPPED, name="Bitcoin")
    operator = User.objects.get()
    operator.set_password("another one entirely")
    operator.save()
    Group.objects.get(name="viewer").permissions.clear()
    (folder / "operator-password").unlink()
    before = state()
    assert "changepassword operator" in seed(capsys)
    assert state() == before
    assert not (folder / "operator-password").exists()


def test_a_missing_bot_is_added_to_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds.seed_bots()
    doge = Bot.objects.get(slug="doge-usdt")
    doge.config = None
    doge.save()
    doge.configs.all().delete()
    doge.delete()
    assert "DOGE/USDT" in seed(capsys)
    assert Bot.objects.count() == 4


def test_a_start_cut_short_goes_on_with_the_password_it_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "operator-password").write_text("kept from before\n", encoding="ascii")
    seed(capsys)
    assert logs_in("kept from before")


def test_the_roles_are_groups(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(capsys)
    assert set(Group.objects.values_list("name", flat=True)) == set(Role)
    assert not Group.objects.get(name="killer").permissions.exists()
    viewer = Group.objects.get(name="viewer").permissions.values_list("codename", flat=True)
    assert {name.split("_")[0] for name in viewer} == {"view"}
    assert "view_fill" in viewer
    assert "view_apitoken" not in viewer
