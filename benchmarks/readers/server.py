"""The servers that readers at the end of links ask: voxcast, and nginx with the same code streams as files."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.client import Connection
from benchmarks.links.namespaces import Namespace
from benchmarks.links.site import HOST
from benchmarks.peers import find, nginx_config, parse_counter, parse_ready, voxcast_command
from benchmarks.process import Group, free_port

_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server inside a namespace."""

    group: Group
    namespace: Namespace
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def connect(self) -> Connection:
        """Beside it, without a link."""
        made = self.namespace.socket(partial(socket.create_connection, (HOST, self.port), 20))
        return Connection(HOST, self.port, connected=made)

    def counter(self, name: str) -> float:
        """One of voxcast's own counters."""
        with self.connect() as connection:
            return parse_counter(connection.get("/metrics").body.decode(), f"voxcast_{name}_total")


@contextmanager
def voxcast(archive: Path, namespace: Namespace, folder: Path, control: str, *options: str) -> Iterator[Served]:
    """`voxcast serve` until the block ends; `control` is its TCP's congestion control."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [voxcast_command(), "serve", "--archive", str(archive), "--http", f"{HOST}:0", "--dicom", "off", *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
    environment["VOXCAST_CONGESTION_CONTROL"] = control
    log = folder / "voxcast.log"
    group = Group(namespace.within(*command), log, stdout=subprocess.PIPE, environment=environment)
    try:
        assert group.process.stdout is not None
        line = group.process.stdout.readline().decode()
        if not line:
            raise group.failed("printed no ready line")
        yield Served(group, namespace, parse_ready(line)[1])
    finally:
        group.stop()


@contextmanager
def nginx(files: Path, namespace: Namespace, folder: Path, control: str) -> Iterator[Served]:
    """nginx with one worker over the files, until the block ends; raises FileNotFoundError where there is none.

    Its socket is given to it as to one that takes over from another (the variable NGINX): it cannot set `control` itself.
    """
    program = find("nginx")
    if program is None:
        raise FileNotFoundError("nginx is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(nginx_config(folder, files, port, HOST))
    command = [str(program), "-p", str(folder), "-c", str(config), "-e", str(folder / "early.log")]
    listener = namespace.socket(partial(_listening, port, control))
    with listener:
        given = listener.fileno()
        environment = {**os.environ, "NGINX": f"{given};"}
        group = Group(namespace.within(*command), folder / "error.log", environment=environment, descriptors=[given])
    served = Served(group, namespace, port)
    try:
        group.wait_until(partial(_answers, served), _START_S)
        yield served
    finally:
        group.stop()


def _listening(port: int, control: str) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
    made.bind((HOST, port))
    made.listen(1024)
    return made


def _answers(served: Served) -> bool:
    try:
        served.namespace.socket(partial(socket.create_connection, (HOST, served.port), 1)).close()
    except OSError:
        time.sleep(0.01)
        return False
    return True
