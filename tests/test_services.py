"""The embedded servers: safe to start from any leftover state, found by every command."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from gridtrader.env import EnvError
from gridtrader.folder import Hold, free_port, is_free, port_of, prepare
from gridtrader.hosting import borrowed, serving
from gridtrader.launch import NOBODY
from gridtrader.services import ServiceError, lock_of, of_folder
from tests.rig.waiting import until

ROOT = Path(__file__).resolve().parent.parent
BOTH = ("postgres", "redis")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose cluster is made; copied, it saves each test the making."""
    home = tmp_path_factory.mktemp("cluster")
    for server in of_folder(home, durable=False):
        server.prepare()
    return home


@pytest.fixture
def home(cluster: Path, tmp_path: Path) -> Path:
    """A data folder of its own, with a fresh cluster."""
    shutil.copytree(cluster, tmp_path / "var")
    (tmp_path / "var" / "ports.json").unlink()
    return tmp_path / "var"


def ask(home: Path, query: str) -> object:
    """Return the first value of a query."""
    connection = psycopg2.connect(of_folder(home)[0].url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


BORROWER = """
import sys
from pathlib import Path
from gridtrader.hosting import borrowed
with borrowed(Path(sys.argv[1]), ("postgres", "redis")):
    print("up", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def borrower(home: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start other commands that use the servers until they read a line."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", BORROWER, str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    until(lambda: all_dead(home))


def all_dead(home: Path) -> bool:
    """Say whether no process keeps a server's lock."""
    for name in BOTH:
        hold = Hold.take(lock_of(home, name))
        if hold is None:
            return False
        hold.release()
    return True


def test_first_start_makes_everything_and_stops_it(tmp_path: Path):
    home = tmp_path / "deep" / "var"
    with borrowed(home, BOTH):
        postgres, keeper = of_folder(home)
        assert ask(home, "SHOW synchronous_commit") == "on"
        assert ask(home, "SHOW fsync") == "on"
        assert ask(home, "SHOW listen_addresses") == "127.0.0.1"
        assert redis.Redis.from_url(keeper.url).ping()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(postgres.url.replace("gridtrader:", "gridtrader:x")).close()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=keeper.port).ping()
    assert all_dead(home)
    assert is_free("127.0.0.1", postgres.port)
    for path in home.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.suffix in {".password", ".conf"} and "postgres18" not in path.parts:
            assert mode == 0o600, path
        assert path.stat().st_uid == os.geteuid()


def test_no_password_on_any_command_line(home: Path):
    for server in of_folder(home):
        words = " ".join(server.argv())
        assert server.url.split("@")[0].rpartition(":")[2] not in words


def test_ports_stay_and_move_only_for_a_stranger(home: Path):
    with borrowed(home, BOTH):
        before = [server.port for server in of_folder(home)]
    with borrowed(home, BOTH):
        assert [server.port for server in of_folder(home)] == before
    with socket.create_server(("127.0.0.1", before[0])), borrowed(home, BOTH):
        after = [server.port for server in of_folder(home)]
        assert after[0] != before[0]
        assert after[1] == before[1]
        assert ask(home, "SELECT 1") == 1


def test_a_second_command_uses_the_running_servers(home: Path, borrower):
    borrower()
    postmaster = (home / "postgres18" / "postmaster.pid").read_text().split()[0]
    with borrowed(home, BOTH):
        assert ask(home, "SELECT 1") == 1
        assert (home / "postgres18" / "postmaster.pid").read_text().split()[0] == postmaster


def test_servers_stay_until_the_last_command_is_done(home: Path, borrower):
    owner, guest = borrower(), borrower()
    owner.stdin.write("\n")
    owner.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        owner.wait(0.5)
    assert ask(home, "SELECT 1") == 1
    guest.communicate("\n")
    assert owner.wait(10) == 0
    assert all_dead(home)


def test_nothing_is_left_when_the_owner_is_killed(home: Path, borrower):
    owner = borrower()
    ask(home, "CREATE TABLE kept AS SELECT 42 AS n")
    owner.kill()
    until(lambda: all_dead(home))
    with borrowed(home, BOTH):
        assert ask(home, "SELECT n FROM kept") == 42


def test_stale_pid_file_with_a_recycled_pid(home: Path):
    """After a crash a pid file may name a number that another program has today."""
    lines = [str(os.getpid()), str(home / "postgres18"), "1", "1", "", "127.0.0.1", "1 1", "ready"]
    (home / "postgres18" / "postmaster.pid").write_text("\n".join(lines))
    with borrowed(home, BOTH):
        assert ask(home, "SELECT 1") == 1


def test_half_made_cluster(tmp_path: Path):
    home = tmp_path / "var"
    (home / "postgres18.new" / "base").mkdir(parents=True)
    (home / "postgres18.new" / "PG_VERSION").write_text("18")
    with borrowed(home, ("postgres",)):
        assert ask(home, "SELECT 1") == 1
    assert not (home / "postgres18.new").exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"postgres": "x"}'])
def test_broken_memory_of_ports(home: Path, text: str):
    (home / "ports.json").write_text(text)
    assert is_free("127.0.0.1", port_of(home, "postgres"))


def test_a_server_that_does_not_start_says_why(home: Path):
    (home / "postgres18" / "postgresql.conf").write_text("no_such_setting = 1\n")
    hold = Hold.take(lock_of(home, "postgres"))
    assert hold is not None
    says = r"postgres does not start: .*configuration file"
    with pytest.raises(ServiceError, match=says), serving(of_folder(home)[0], hold):
        pass
    assert all_dead(home)


def test_a_killed_server_comes_back_on_its_files(home: Path):
    hold = Hold.take(lock_of(home, "postgres"))
    assert hold is not None
    postgres = of_folder(home)[0]
    with serving(postgres, hold):
        ask(home, "CREATE TABLE kept AS SELECT 7 AS n")
        pid = int((home / "postgres18" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        until(lambda: not postgres.ready())
    with borrowed(home, ("postgres",)):
        assert ask(home, "SELECT n FROM kept") == 7


def test_data_folder_is_proved(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvError, match="it is a file; accepted: a folder with write permission"):
        prepare(tmp_path / "file")
    with pytest.raises(EnvError, match="Not a directory"):
        prepare(tmp_path / "file" / "below")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(EnvError, match="nobody has write permission"):
        prepare(tmp_path / "closed")
    with pytest.raises(EnvError, match="cannot be written"):
        prepare(Path("/proc/gridtrader"))
    assert prepare(tmp_path / "new" / "var").is_dir()


def test_ports_lie_outside_the_range_of_outgoing_connections():
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert free_port() < low


def test_a_lock_ends_with_its_last_holder(tmp_path: Path):
    path = tmp_path / "a.lock"
    hold = Hold.take(path)
    assert hold is not None
    assert Hold.take(path) is None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[hold.descriptor])
    hold.release()
    assert Hold.take(path) is None
    threading.Timer(0.1, child.kill).start()
    again = Hold.take(path, patience=10)
    assert again is not None
    again.release()
    child.wait()


CONTAINER = """
import ctypes, os, sys
assert ctypes.CDLL(None).unshare(0x10000000) == 0  # a user namespace, mapped by our parent
os.write(1, b"map me\\n")
os.read(0, 1)
with open("/proc/sys/user/max_user_namespaces", "w") as limit:
    limit.write("0")
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass through."""
    path = Path(tempfile.mkdtemp(prefix="gridtrader-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def without_namespaces(home: Path) -> tuple[int, str, str]:
    """Use the servers as a root that may make no user namespace, as in many containers."""
    process = subprocess.Popen(
        [sys.executable, "-c", CONTAINER, BORROWER, str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "map me\n"
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{kind}").write_text("0 0 65536")
    out, err = process.communicate("\n\n")
    return process.returncode, out, err


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives root up")


@only_root
def test_root_without_namespaces_runs_postgres_as_nobody(open_folder: Path):
    home = open_folder / "var"
    assert without_namespaces(home) == (0, "up\n", "")
    assert (home / "postgres18").stat().st_uid == NOBODY
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o711


@only_root
def test_root_without_namespaces_in_a_closed_folder_says_so(tmp_path: Path):
    tmp_path.chmod(0o700)
    code, _, err = without_namespaces(tmp_path / "var")
    assert code != 0
    assert "this machine lets root make no user namespace: run as an ordinary user" in err
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
