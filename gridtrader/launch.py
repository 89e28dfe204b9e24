"""Starts a program that ends with its parent: `[--as-nobody] SIGNAL PARENT -- PROGRAM...`.

The kernel sends SIGNAL to the program when the parent dies, however it dies. With --as-nobody the
program sees itself as an ordinary user although root started it (PostgreSQL refuses uid 0): in a
user namespace where root is called nobody, so files stay root's and no account or permission is
touched; where the machine allows no namespaces, by giving root up. `launch.py --probe` tells by
its exit code whether namespaces are allowed.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CLONE_NEWUSER = 0x10000000  # linux/sched.h
NOBODY = 65534

libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace() -> bool:
    """Enter a user namespace in which this root is nobody; say whether the kernel allowed it."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        return False
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1", encoding="ascii")
    return True


def give_root_up() -> None:
    """Become nobody for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the program."""
    if arguments == ["--probe"]:
        raise SystemExit(0 if enter_namespace() else 1)
    as_nobody = arguments[0] == "--as-nobody"
    number, parent, separator, *program = arguments[as_nobody:]
    if separator != "--" or not program:
        raise SystemExit(__doc__)
    if as_nobody and not enter_namespace():
        give_root_up()
    # After the change of user: a change of credentials clears the parent-death signal.
    libc.prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != int(parent):  # it died before we were tied to it
        raise SystemExit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(program[0], program)  # noqa: S606 - the program is the caller's own


if __name__ == "__main__":
    main(sys.argv[1:])
