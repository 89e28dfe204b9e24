"""bybit-api of npm, run by node; it is installed once into a cache outside the repository."""

import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).with_name("bybit_api")
INSTALL = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
INSTALL_WITHIN = 90  # s


@pytest.fixture(scope="module")
def modules():
    """The folder of installed modules; skips where there is no node, or npm cannot install."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not installed: bybit-api is not tried")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridtrader"
    lock = (HERE / "package-lock.json").read_bytes()
    done = caches / f"bybit-api-{sha256(lock).hexdigest()[:16]}"
    if not done.is_dir():
        install(npm, caches, done)
    return done / "node_modules"


def install(npm, caches, done):
    """Install the locked modules beside, then move them in place: never half of them."""
    try:
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=caches) as fresh:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, fresh)
            command = [npm, *INSTALL, "--prefix", fresh]
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=INSTALL_WITHIN
            )
            if not done.is_dir():
                Path(fresh).rename(done)
                Path(fresh).mkdir()  # for the folder's own clean-up
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm cannot install bybit-api, which is not tried: {error.stderr[-300:]}")
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install bybit-api, which is not tried: {error}")


def test_a_traders_day_with_orders_streams_and_a_restart(simulator, modules):
    where = {
        "REST": simulator.rest_url,
        "WS": simulator.ws_url,
        "KEY": simulator.key,
        "SECRET": simulator.secret,
        "NODE_PATH": str(modules),
    }
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            ["node", str(HERE / "script.cjs")],
            env=os.environ | where,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            for line in process.stdout:
                if line.strip() == "restart":
                    simulator.stop()
                    simulator.start()
                    process.stdin.write("back\n")
                    process.stdin.flush()
            code = process.wait(30)
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        errors.seek(0)
        assert code == 0, errors.read()
