"""Commands in processes forked from one that has everything imported: a start costs what the command itself does.

That process is Python's fork server. It computes nothing, because a fork of a process whose torch has run threads may
hang; and what its forks start by `subprocess.Popen`, as `launch` does, are forks as well.
"""

import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from .shell import ENVIRONMENT, ROOT

SERVER = "MER_FORK_SERVER"  # set in the fork server, which imports this module first
CONTEXT = multiprocessing.get_context("forkserver")

if os.environ.get(SERVER):
    import sklearn.svm  # noqa: F401
    import torch

    from shared import claims, cli, compare, reproduce  # noqa: F401

    for package in ("toy", *cli.papers()):
        import_module(f"{package}.experiments")
    torch.optim.SGD([torch.zeros(1)], lr=1.0)  # for which torch imports a second's worth of modules


class Forked:
    """What `launch` uses of subprocess.Popen, for `python -m MODULE …` and `python -c CODE …`."""

    run: Callable[[Sequence[str]], Any]  # what is done of a command line after "python"

    def __init__(self, command: Sequence[str], env: Mapping[str, str], preexec_fn: Callable[[], None] = lambda: None):
        self.pid, self.code = os.fork(), None
        if self.pid == 0:
            code = 1
            try:
                preexec_fn()
                os.environ.update(env)
                type(self).run(command[1:])
                code = 0
            except SystemExit as ended:
                code = exit_code(ended)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                os._exit(code)

    def poll(self, how: int = os.WNOHANG) -> int | None:
        if self.code is None and (status := os.waitpid(self.pid, how)) != (0, 0):
            self.code = os.waitstatus_to_exitcode(status[1])
        return self.code

    def wait(self) -> int | None:
        return self.poll(0)

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def exit_code(ended: SystemExit) -> int:
    """As Python ends: a text is printed and ends by 1."""
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


def as_python(arguments: Sequence[str]) -> None:
    """Do what `python ARGUMENTS` does."""
    how, what, *rest = arguments
    sys.path += [part for part in os.environ["PYTHONPATH"].split(os.pathsep) if part not in sys.path]
    sys.argv = [how, *rest]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, {"__name__": "__main__"})


Forked.run = staticmethod(as_python)


def _begin(
    function: Callable[..., Any], arguments: tuple, outputs: Sequence[Connection], limit: tuple, environment: dict
) -> None:
    """In a fork: call the function; an error of the user's ends it as a command line ends."""
    from shared.errors import UserError

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for number, output in enumerate(outputs, 1):
        os.dup2(output.fileno(), number)
        output.close()
    sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, "utf-8", closefd=False) for n in (1, 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    multiprocessing.set_start_method(None, force=True)  # Python's default, in place of the server's
    subprocess.Popen = Forked
    try:
        sys.exit(function(*arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def everything(end: Connection) -> str:
    """All that is written at the other end, until that is closed."""
    with open(end.fileno(), encoding="utf-8", closefd=False) as file, end:
        return file.read()


class Running:
    """A call in a process and a session of its own."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, **environment: str) -> None:
        before = {name: os.environ.get(name) for name in ("PYTHONPATH", SERVER)}
        try:
            os.environ |= {"PYTHONPATH": ENVIRONMENT["PYTHONPATH"], SERVER: "1"}
            CONTEXT.set_forkserver_preload([__name__])
            forkserver.ensure_running()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        ours, theirs = zip(*(CONTEXT.Pipe(duplex=False) for _ in range(2)), strict=True)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        how = (function, arguments, theirs, limit, ENVIRONMENT | environment)
        self.process = CONTEXT.Process(target=_begin, args=how)
        self.process.start()
        self.pid = self.process.pid
        for end in theirs:
            end.close()
        self.readers = ThreadPoolExecutor(2)
        self.said = [self.readers.submit(everything, end) for end in ours]

    def poll(self) -> int | None:
        return self.process.exitcode

    def ended(self, seconds: float = 600) -> subprocess.CompletedProcess:
        """Wait for its end."""
        self.process.join(seconds)
        assert self.poll() is not None, "it goes on"
        said = [output.result() for output in self.said]
        self.readers.shutdown()
        return subprocess.CompletedProcess([], self.poll(), *said)


def called(function: Callable[..., Any], *arguments: Any, **environment: str) -> subprocess.CompletedProcess:
    """What a function, one that can be imported, prints and returns (an exit code) in a process of its own."""
    return Running(function, *arguments, **environment).ended()


def python(*arguments: Any) -> subprocess.CompletedProcess:
    """Run `python -m arguments` to its end, with everything imported."""
    return called(as_python, ["-m", *map(str, arguments)])
