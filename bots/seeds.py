"""What a fresh installation starts with: the four bots, the roles, and the operator's account."""

import os
import secrets
import tempfile
from decimal import Decimal
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from bots import control, roles
from bots.control import Deployment
from bots.grid.levels import GridSpec
from bots.models import Bot

ACCOUNT = Decimal(34_000)  # USDT
_BTC = Decimal(25_000)
_MNT = Decimal(6_000)
_SHARED = (ACCOUNT - _BTC - _MNT) / 2  # DOGE and PEPE share what is left
OPERATOR = "operator"
PASSWORD_FILE = "operator-password"  # noqa: S105 - the name of the file that holds it

BOTS = (
    Deployment(
        slug="btc-usdt",
        name="BTC/USDT",
        symbol="BTCUSDT",
        spec=GridSpec(Decimal(95_500), Decimal(99_000), 12, _BTC),
        stop_loss=Decimal(94_800),
        position=0,
    ),
    Deployment(
        slug="mnt-usdt",
        name="MNT/USDT",
        symbol="MNTUSDT",
        spec=GridSpec(Decimal("1.04"), Decimal("1.12"), 15, _MNT),
        stop_loss=Decimal("1.015"),
        position=1,
    ),
    Deployment(
        slug="doge-usdt",
        name="DOGE/USDT",
        symbol="DOGEUSDT",
        spec=GridSpec(Decimal("0.129"), Decimal("0.145"), 18, _SHARED),
        shares_capital=True,
        position=2,
    ),
    Deployment(
        slug="pepe-usdt",
        name="PEPE/USDT",
        symbol="PEPEUSDT",
        spec=GridSpec(Decimal("0.00000416"), Decimal("0.00000479"), 24, _SHARED),
        stop_loss=Decimal("0.00000395"),
        btc_filter=True,
        shares_capital=True,
        position=3,
    ),
)


def seed_bots() -> list[Bot]:
    """Deploy those of the four that are missing, and return them; the others stay as they are."""
    present = set(Bot.objects.values_list("slug", flat=True))
    return [control.deploy(wish, by="seed") for wish in BOTS if wish.slug not in present]


@transaction.atomic
def seed_operator(folder: Path) -> str | None:
    """Create the operator and return its password; None when the account is there already.

    The password lies in the folder before the account exists, so a start that was cut short in
    between goes on with the same one.
    """
    roles.ensure_groups()
    if User.objects.filter(username=OPERATOR).exists():
        return None
    password = _kept_password(folder / PASSWORD_FILE)
    roles.give(User.objects.create_superuser(OPERATOR, password=password), roles.Role.ADMIN)
    return password


def _kept_password(path: Path) -> str:
    """The password of a file of mode 0600, made up when there is none."""
    if not path.exists():
        # mkstemp makes mode 0600, and a rename shows the file with its text in it or not at all.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(18) + "\n")
        Path(draft).replace(path)
    return path.read_text(encoding="ascii").strip()
