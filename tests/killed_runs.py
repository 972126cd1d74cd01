"""Runs command lines that die on the way. Started as a process of its own by test_kill_points.

It imports everything once and forks a child for each command, so that many real processes can die in little time.
Reads [[name, trap, [arguments, …], log], …] as JSON; writes a line [name, exit status with the trap, exit status
without], negative for a signal, for each.
A trap is null or [what is called, which call of it, what happens then].
"""

import errno
import importlib
import json
import os
import resource
import signal
import sys
from typing import Any

from skd_lightning.cli import main
from skd_lightning.report import write  # noqa: F401 - children find them imported


def arm(target: str, call: int, action: str) -> None:
    """Let the n-th call of ``module:object.attribute`` end in something bad before it does anything."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), [0]

    def trapped(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            if action == "full disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.kill(os.getpid(), signal.Signals[action])
        return original(*arguments, **named)

    setattr(owner, name, trapped)


def child(trap: list[Any] | None, commands: list[list[str]], log: str) -> None:
    """Run the commands in this process, and end it."""
    status = 0
    with open(log, "a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        if trap and trap[0] == "file size":  # a real limit of the system: writing beyond it fails
            resource.setrlimit(resource.RLIMIT_FSIZE, (trap[1], trap[1]))
        elif trap:
            arm(*trap)
        try:
            for arguments in commands:
                main(arguments)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 99
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def run(trap: list[Any] | None, commands: list[list[str]], log: str) -> int:
    """The exit status of a child; what it printed goes to the log."""
    process = os.fork()
    if process == 0:
        child(trap, commands, log)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    for name, trap, commands, log in json.load(sys.stdin):
        first = run(trap, commands, log)
        second = run(None, commands, log) if trap else None
        print(json.dumps([name, first, second]), flush=True)
