"""Hosts on one network: addresses of their own by network, files by mount namespaces."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from clusters import SOURCES

NET = f"10.{os.getpid() % 200 + 20}.0"
NAME = f"abl{os.getpid() % 100000}"
NUMBER = 6


def ip(*words: str) -> None:
    """Runs `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def address(number: int) -> str:
    """Returns the address of a host."""
    return f"{NET}.{number + 1}"


class Hosts:
    """Six hosts on one bridge; each process is killed with all that it has started.

    Args:
        folder: Where each has its folder; a host sees its own and not the first one's.
        hidden: The folder of the first.
    """

    def __init__(self, folder: Path, hidden: Path) -> None:
        self.folder, self.hidden = folder, hidden
        self.processes: list[subprocess.Popen[str]] = []
        ip("netns", "add", NAME)
        ip("-n", NAME, "link", "add", "bridge", "type", "bridge")
        ip("-n", NAME, "link", "set", "bridge", "up")
        for number in range(NUMBER):
            host = f"{NAME}-{number}"
            ip("netns", "add", host)
            ip("-n", NAME, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0",
               "netns", host)  # fmt: skip
            ip("-n", NAME, "link", "set", f"to{number}", "master", "bridge", "up")
            ip("-n", host, "addr", "add", f"{address(number)}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")

    def own(self, number: int) -> Path:
        """Returns the folder of a host."""
        return self.folder / f"host{number}" if number else self.hidden

    def start(self, number: int, command: str, **variables: str) -> subprocess.Popen[str]:
        """Starts a shell command on a host; it logs to the host's folder, on the first to us."""
        own = self.own(number)
        own.mkdir(exist_ok=True)
        hide = f"mount -t tmpfs none {self.hidden};" if number else ""
        environment = {
            **os.environ, **variables, "PYTHONPATH": SOURCES, "ABLATION_CACHE": str(own / "cache")
        }  # fmt: skip
        alone = ["ip", "netns", "exec", f"{NAME}-{number}", "unshare", "-m"]
        with (own / "log.txt").open("a") as log:
            made = subprocess.Popen(
                [*alone, "sh", "-c", f"{hide} cd {own}; {command}"],
                env=environment, text=True, start_new_session=True,
                stdout=log if number else subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.processes.append(made)
        return made

    def link(self, number: int, state: str) -> None:
        """Takes the link of a host down, or up again."""
        ip("-n", NAME, "link", "set", f"to{number}", state)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kills what a command started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def kill_all(self) -> None:
        """Kills all that was started."""
        for process in self.processes:
            self.kill(process)

    def close(self) -> None:
        """Ends and removes all."""
        self.kill_all()
        for number in range(NUMBER):
            subprocess.run(["ip", "netns", "del", f"{NAME}-{number}"], check=False)
        subprocess.run(["ip", "netns", "del", NAME], check=False)


@contextmanager
def hosts_in(folder: Path) -> Iterator[Hosts]:
    """Yields hosts; skips the test with the reason where they are not permitted."""
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, ip and unshare")
    hidden = folder / "conductor"
    hidden.mkdir()
    try:
        made = Hosts(folder, hidden)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted: {error.stderr!r}")
    try:
        yield made
    finally:
        made.close()
