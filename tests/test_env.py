"""Settings come from the environment alone, and a wrong value is one clear line."""

import os
import pickle
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from gridtrader.env import EnvError, Environment, Secret, load, parse_dotenv
from gridtrader.folder import kept_secret
from gridtrader.logs import redact

ROOT = Path(__file__).resolve().parent.parent
LONG = "x1y2z3" * 10


def manage(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py as a user would, with these variables and no others of ours."""
    clean = {"PATH": os.environ["PATH"], "GRIDTRADER_ENV_FILE": os.devnull}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        check=False,
        env=clean | {"GRIDTRADER_DATA_DIR": str(home)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


SAY = "from django.conf import settings as s; print({})"


def setting(home: Path, expression: str, **variables: str) -> str:
    """Return what an expression over the settings `s` prints in a fresh process."""
    clean = {
        "PATH": os.environ["PATH"],
        "GRIDTRADER_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "gridtrader.settings",
        "GRIDTRADER_DATA_DIR": str(home),
    }
    done = subprocess.run(
        [sys.executable, "-c", SAY.format(expression)],
        check=False,
        env=clean | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_unset_and_empty_mean_the_default():
    env = Environment({"A": "", "B": "  "})
    assert env.text("A", "d") == "d"
    assert env.integer("B", 7, low=0, high=9) == 7
    assert env.flag("A", default=True)
    assert env.choice("C", ("one", "two"), "two") == "two"
    assert env.decimal("C", Decimal("1.5"), low=Decimal(0)) == Decimal("1.5")
    assert env.url("C", ("http",), "http://x") == "http://x"
    assert env.items("C", ["a"]) == ["a"]
    assert not env.secret("C")
    assert env.secrets("C", least=32) == []


@pytest.mark.parametrize(("text", "value"), [("1", True), ("YES", True), ("off", False)])
def test_flag(text: str, value: bool):
    assert Environment({"F": text}).flag("F", default=not value) is value


@pytest.mark.parametrize("text", ["", "8000", "+5", "65535"])
def test_integer_accepts(text: str):
    assert Environment({"P": text}).integer("P", 1, low=1, high=65535) == int(text or 1)


@pytest.mark.parametrize("text", ["0", "65536", "8_0", "80.0", "eighty", "-1", "٣"])
def test_integer_refuses(text: str):
    with pytest.raises(EnvError, match=r"P is .*accepted: a whole number from 1 to 65535"):
        Environment({"P": text}).integer("P", 1, low=1, high=65535)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "fast", "1e"])
def test_decimal_refuses(text: str):
    with pytest.raises(EnvError, match=r"S is .*accepted: a number of at least 0"):
        Environment({"S": text}).decimal("S", Decimal(1), low=Decimal(0))


@pytest.mark.parametrize("text", ["ftp://h", "http://", "http://h:port", "host:80", "http://[x"])
def test_url_refuses_without_showing_it(text: str):
    with pytest.raises(EnvError, match=r"U .*accepted: http://") as caught:
        Environment({"U": text + "?key=hush"}).url("U", ("http", "https"))
    assert "hush" not in str(caught.value)


def test_url_loses_its_closing_slash():
    assert Environment({"U": "http://h:80/"}).url("U", ("http",)) == "http://h:80"


def test_secret_from_a_file(tmp_path: Path):
    path = tmp_path / "key"
    path.write_text("hush\n")
    env = Environment({"KEY_FILE": str(path)})
    assert "KEY" in env
    assert env.secret("KEY").reveal() == "hush"
    with pytest.raises(EnvError, match="both set"):
        Environment({"KEY": "a", "KEY_FILE": str(path)}).secret("KEY")
    with pytest.raises(EnvError, match="KEY_FILE cannot be read"):
        Environment({"KEY_FILE": str(tmp_path / "none")}).secret("KEY")
    path.write_text(" \n")
    with pytest.raises(EnvError, match="KEY_FILE is empty"):
        env.secret("KEY")


def test_secrets_while_rotating_must_each_be_long():
    env = Environment({"S": f"{LONG},  {LONG}b"})
    assert [one.reveal() for one in env.secrets("S", least=32)] == [LONG, f"{LONG}b"]
    with pytest.raises(EnvError, match="secret 2 of 2 has 5 characters") as caught:
        Environment({"S": f"{LONG},short"}).secrets("S", least=32)
    assert "short" not in str(caught.value)


def test_a_secret_shows_itself_nowhere():
    secret = Secret("hush")
    assert "hush" not in f"{secret} {secret!r} {[secret]}"
    assert secret == Secret("hush")
    assert secret != Secret("other")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_log_lines_lose_secrets():
    line = "key=K1 X-BAPI-SIGN: abc 'Authorization': 'Token t0k' postgres://u:pw@h/db hush"
    clean = redact(line, [Secret("hush"), Secret("")])
    assert not any(word in clean for word in ("abc", "t0k", ":pw@", "hush"))
    assert "postgres://u:***@h/db" in clean


def test_dotenv(tmp_path: Path):
    text = "# a\nexport A=1\nB = 'two words' \nC=x # note\n\nD=\"#q\"\nE=a=b\n"
    assert parse_dotenv(text) == {"A": "1", "B": "two words", "C": "x", "D": "#q", "E": "a=b"}
    with pytest.raises(EnvError, match=r"\.env line 2 cannot be read; accepted: NAME=value"):
        parse_dotenv("A=1\njust words")
    (tmp_path / ".env").write_text("A=file\nB=file\nK_FILE=/nowhere\n")
    env = load(tmp_path, {"A": "real", "K": "real"})
    assert (env.text("A"), env.text("B")) == ("real", "file")
    assert env.secret("K").reveal() == "real"


WRONG = [
    ({"GRIDTRADER_MODE": "papr"}, "GRIDTRADER_MODE is 'papr'; accepted: paper, demo, testnet"),
    ({"GRIDTRADER_PORT": "http"}, "GRIDTRADER_PORT is 'http'"),
    ({"PAPER_SPEED": "-1"}, "PAPER_SPEED is '-1'"),
    ({"PAPER_TAPE": "synthetic:x"}, "PAPER_TAPE is 'synthetic:x'; accepted: synthetic:SEED"),
    ({"DEBUG": "maybe"}, "DEBUG is 'maybe'"),
    ({"DATABASE_URL": "mysql://h/db"}, "DATABASE_URL has scheme 'mysql'; accepted: postgres://"),
    ({"REDIS_URL": "localhost:6379"}, "REDIS_URL has scheme 'localhost'; accepted: redis://"),
    ({"BYBIT_REST_URL": "http://127.0.0.1:1"}, "BYBIT_WS_URL is not set"),
    (
        {"BYBIT_REST_URL": "https://api.bybit.com", "BYBIT_WS_URL": "wss://stream.bybit.com"},
        "GRIDTRADER_MODE is 'paper' but a base URL names Bybit's own host api.bybit.com",
    ),
    (
        {
            "GRIDTRADER_MODE": "demo",
            "BYBIT_REST_URL": "https://api.bybit.nl",
            "BYBIT_WS_URL": "wss://stream.bybit.nl",
        },
        "GRIDTRADER_MODE is 'demo' but a base URL names Bybit's own host api.bybit.nl; accepted: ",
    ),
    (
        {
            "GRIDTRADER_MODE": "live",
            "BYBIT_REST_URL": "https://api.bybit.com",
            "BYBIT_WS_URL": "wss://stream-testnet.bybit.com",
        },
        "GRIDTRADER_MODE is 'live' but a base URL names Bybit's own host stream-testnet.bybit.com",
    ),
    ({"TRADINGVIEW_WEBHOOK_SECRET": "hush"}, "TRADINGVIEW_WEBHOOK_SECRET: secret 1 of 1 has 4"),
    ({"CSRF_TRUSTED_ORIGINS": "example.org"}, "CSRF_TRUSTED_ORIGINS holds 'example.org'"),
    ({"NOTION_BASE_URL": "notion"}, "NOTION_BASE_URL has scheme ''"),
    ({"GRIDTRADER_MODE": "live"}, "BYBIT_API_KEY is not set; mode live needs it"),
    (
        {"GRIDTRADER_MODE": "live", "BYBIT_API_KEY": "hush", "BYBIT_API_SECRET": "hush"},
        "SECRET_KEY is not set; mode live needs one",
    ),
    ({"GRIDTRADER_ENV_FILE": "/"}, "/ cannot be read"),
]


@pytest.mark.parametrize(("variables", "line"), WRONG)
def test_a_wrong_value_is_one_line_and_a_failure(
    tmp_path: Path, variables: dict[str, str], line: str
):
    done = manage(tmp_path / "var", "up", **variables)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"gridtrader: {line}")
    assert "hush" not in done.stderr + done.stdout


def test_paper_makes_its_own_secrets_once(tmp_path: Path):
    said = "[s.SECRET_KEY, s.BYBIT.key.reveal(), s.BYBIT.secret.reveal(), s.BYBIT.rest_url]"
    first = setting(tmp_path / "var", said)
    assert first == setting(tmp_path / "var", said, BYBIT_API_KEY="someone's real key")
    for name in ("secret_key", "bybit.key", "bybit.secret"):
        path = tmp_path / "var" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text()) >= 50


def test_the_mode_chooses_the_exchange(tmp_path: Path):
    keys = {"BYBIT_API_KEY": "k", "BYBIT_API_SECRET": "hush", "SECRET_KEY": LONG}
    said = "[s.BYBIT.rest_url, s.BYBIT.ws_url, s.BYBIT.ws_public_url], s.BYBIT"
    demo = setting(tmp_path, said, GRIDTRADER_MODE="demo", **keys)
    assert demo.startswith(
        "['https://api-demo.bybit.com', 'wss://stream-demo.bybit.com', 'wss://stream.bybit.com']"
    )
    assert "hush" not in demo
    ours = {"BYBIT_REST_URL": "http://127.0.0.1:89/", "BYBIT_WS_URL": "ws://127.0.0.1:89"}
    assert "['http://127.0.0.1:89', 'ws://127.0.0.1:89'" in setting(tmp_path, said, **ours)


def test_cookies_need_tls_only_behind_it(tmp_path: Path):
    keys = {"BYBIT_API_KEY": "k", "BYBIT_API_SECRET": "s", "SECRET_KEY": LONG}
    said = "s.SESSION_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0"
    live = {"GRIDTRADER_MODE": "live", **keys}
    assert setting(tmp_path, said) == "False False False"
    assert setting(tmp_path, said, **live) == "False False False"
    assert setting(tmp_path, said, GRIDTRADER_HOST="0.0.0.0", **live) == "True True True"
    assert setting(tmp_path, said, BEHIND_HTTPS="yes") == "True True True"


def test_a_secret_is_made_up_once_by_many(tmp_path: Path):
    path = tmp_path / "s"
    ask = f"from gridtrader.folder import *; print(kept_secret(Path({str(path)!r})).reveal())"
    many = [
        subprocess.Popen([sys.executable, "-c", ask], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    answers = {process.communicate()[0].strip() for process in many}
    assert answers == {kept_secret(path).reveal()}
