"""Locked npm packages for tests, installed once into a cache outside the repository."""

import os
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

INSTALL = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
INSTALL_WITHIN = 90  # s


def installed(folder: Path) -> Path:
    """The installed modules of a folder's package-lock.json; skips where npm cannot install."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        pytest.skip(f"node and npm are not installed: {folder.name} is not tried")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridtrader"
    lock = (folder / "package-lock.json").read_bytes()
    done = caches / f"{folder.name}-{sha256(lock).hexdigest()[:16]}"
    if not done.is_dir():
        _install(npm, folder, caches, done)
    return done / "node_modules"


def _install(npm: str, folder: Path, caches: Path, done: Path) -> None:
    """Install the locked modules beside, then move them in place: never half of them."""
    try:
        caches.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=caches) as fresh:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, fresh)
            command = [npm, *INSTALL, "--prefix", fresh]
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=INSTALL_WITHIN
            )
            if not done.is_dir():
                Path(fresh).rename(done)
                Path(fresh).mkdir()  # for the folder's own clean-up
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm cannot install {folder.name}, which is not tried: {error.stderr[-300:]}")
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install {folder.name}, which is not tried: {error}")
