"""Network namespaces of this process, made by ip(8), named by our pid; removed when we end, or by whoever looks after a crash."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

FOLDER = Path("/run/netns")
_NAME = re.compile(r"voxlink-(\d+)-\w+")
_NEWNET = 0x40000000  # CLONE_NEWNET


class CannotLink(Exception):
    """Links cannot be made here; the message says what is missing."""


def why_not() -> str:
    """What is missing for links on this machine; empty where nothing is."""
    if os.geteuid() != 0:
        return "links need root (network namespaces)"
    if not Path("/dev/net/tun").exists():
        return "links need /dev/net/tun"
    try:
        with Namespace("try") as there:
            there.run("ip", "tuntap", "add", "dev", "try", "mode", "tun")
            there.run(
                "tc", "qdisc", "add", "dev", "try", "root", "tbf", "rate", "8mbit", "burst", "5kb", "limit", "9kb"
            )
    except (OSError, CannotLink) as error:
        return f"links need ip netns, TUN devices and tc tbf: {error}"
    return ""


class Namespace:
    """One network namespace; ``with`` makes and removes it. Its processes are the caller's to end."""

    def __init__(self, name: str) -> None:
        self.name = f"voxlink-{os.getpid()}-{name}"

    def __enter__(self) -> Namespace:
        sweep()
        _run("ip", "netns", "add", self.name)
        try:
            # Before any device is there: they would say hello by IPv6, which the account would count.
            self.set("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1", is_needed=False)
            self.set(*(f"net.ipv4.conf.{which}.{name}" for which in ("all", "default") for name in _AS_ANY_ADDRESS))
            self.run("ip", "link", "set", "lo", "up")
            # The kernel gives lo all of 127.0.0.0/8: one address is enough, the others are those of the links.
            self.run("ip", "address", "add", "127.0.0.1/32", "dev", "lo")
            self.run("ip", "address", "del", "127.0.0.1/8", "dev", "lo")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to remove is no error."""
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)

    def within(self, *command: str) -> list[str]:
        """The command line that runs another one in here."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str) -> str:
        """Run to its end, return stdout; CannotLink with its words when it fails."""
        return _run(*self.within(*command))

    def set(self, *settings: str, is_needed: bool = True) -> None:
        """Kernel settings of this namespace: ``net.ipv4.tcp_congestion_control=bbr``."""
        for setting in settings:
            name, _, value = setting.partition("=")
            if is_needed or self._has(name):
                self.run("sysctl", "-q", "-w", f"{name}={value}")

    def _has(self, name: str) -> bool:
        return subprocess.run(self.within("sysctl", "-n", name), capture_output=True, check=False).returncode == 0

    def close_device(self, device: str) -> None:
        """Remove a device and its peer; one that has gone with its peer is no error."""
        subprocess.run(self.within("ip", "link", "delete", device), capture_output=True, check=False)

    def socket(self, make: Callable[[], socket.socket]) -> socket.socket:
        """What `make` returns, made in here: a thread of its own goes in, the socket stays there whoever uses it.

        Raises
        ------
        OSError : from `make`, or there is no such namespace.
        """
        found: list[socket.socket | OSError] = []

        def enter() -> None:
            try:
                descriptor = os.open(FOLDER / self.name, os.O_RDONLY)
                try:
                    if _LIBC.setns(descriptor, _NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(descriptor)
                found.append(make())
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        [answer] = found
        if isinstance(answer, OSError):
            raise answer
        return answer


# 127.0.0.0/8 as if they were any addresses: voxcast listens on them without access control, and no packet can leave the
# machine with them.
_AS_ANY_ADDRESS = ("route_localnet=1", "rp_filter=0")
_LIBC = ctypes.CDLL(None, use_errno=True)


def sweep() -> list[str]:
    """Remove the namespaces of processes that do not live any more; their names."""
    gone = []
    for path in FOLDER.iterdir() if FOLDER.is_dir() else ():
        named = _NAME.fullmatch(path.name)
        if named and not Path(f"/proc/{named[1]}").exists():
            subprocess.run(["ip", "netns", "delete", path.name], capture_output=True, check=False)
            gone.append(path.name)
    return gone


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        raise CannotLink(f"there is no {command[0]} (iproute2, procps)") from None
    if done.returncode:
        raise CannotLink(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
