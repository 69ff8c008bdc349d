"""`voxcast echo` against peers that answer, and that do not in each way there is."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification
from typer.testing import CliRunner

from engine.cli.app import app

RUNNER = CliRunner()


def run(*arguments: str) -> tuple[int, dict[str, object], str]:
    """Exit code, the one object of stdout, stderr."""
    done = RUNNER.invoke(app, ["echo", "--json", *arguments])
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.fixture(scope="module")
def remote() -> Iterator[Callable[..., str]]:
    """Starts a pynetdicom acceptor; ``HOST:PORT``."""
    started = []

    def start(status: int = 0, offered: str = Verification, context: ssl.SSLContext | None = None) -> str:
        ae = AE("REMOTE")
        ae.require_called_aet = True
        ae.require_calling_aet = ["VOXCAST"]
        ae.add_supported_context(offered)
        handlers = [(evt.EVT_C_ECHO, lambda _: status)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=context)
        assert server is not None
        started.append(server)
        return f"127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()


def test_a_peer_that_answers(remote: Callable[..., str], tmp_path: Path) -> None:
    where = remote()
    code, record, _ = run(f"REMOTE@{where}")
    assert code == 0
    assert record["ok"] is True
    assert isinstance(record["answer_ms"], float)
    (tmp_path / "v.toml").write_text(
        f'[peers.far]\naet = "REMOTE"\nhost = "127.0.0.1"\nport = {where.rpartition(":")[2]}\n'
    )
    code, record, _ = run("far", "--config", str(tmp_path / "v.toml"))
    assert (code, record["peer"], record["aet"]) == (0, "far", "REMOTE")
    said = RUNNER.invoke(app, ["echo", f"REMOTE@{where}"])
    assert said.stdout.startswith(f"REMOTE@{where} answers: ")


@pytest.mark.parametrize(
    "bad", ["nobody", "REMOTE@127.0.0.1", "@127.0.0.1:1", "R@127.0.0.1:0", "SEVENTEEN_LETTERS@h:1"]
)
def test_wrong_usage(bad: str) -> None:
    code, _, said = run(bad)
    assert code == 2
    assert "AET@HOST:PORT" in said


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, record, said = run(f"REMOTE@127.0.0.1:{port}")
    assert (code, record["step"]) == (3, "connect")
    assert "cannot be reached" in said


@pytest.mark.parametrize(
    ("title", "aet", "why"),
    [("OTHER", "VOXCAST", "the AE title that we called"), ("REMOTE", "STRANGER", "does not know our AE title")],
)
def test_a_rejection(remote: Callable[..., str], title: str, aet: str, why: str) -> None:
    code, record, said = run(f"{title}@{remote()}", "--aet", aet)
    assert (code, record["step"]) == (5, "reject")
    assert why in said


def test_no_verification_there(remote: Callable[..., str]) -> None:
    code, record, _ = run(f"REMOTE@{remote(offered=CTImageStorage)}")
    assert (code, record["step"]) == (6, "context")


def test_a_status_that_is_no_success(remote: Callable[..., str]) -> None:
    code, record, said = run(f"REMOTE@{remote(status=0x0122)}")
    assert (code, record["step"]) == (7, "answer")
    assert "0122" in said


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_something_else_listens_there(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def say() -> None:
            connection, _ = listening.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=say, daemon=True).start()
        code, record, _ = run(f"REMOTE@127.0.0.1:{listening.getsockname()[1]}")
    assert (code, record["step"]) == (7, "answer")


def test_tls(remote: Callable[..., str], tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    server, client, stranger = ours.issue("server", "IP:127.0.0.1"), ours.issue("client"), theirs.issue("client")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ours.certificate))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server.certificate, server.key)
    where = f"REMOTE@{remote(context=context)}"
    trusting = ("--tls", "--ca", str(ours.certificate))
    showing = ("--certificate", str(client.certificate), "--key", str(client.key))
    assert run(where, *trusting, *showing)[0] == 0
    for options in (
        ("--tls", "--ca", str(theirs.certificate), *showing),  # we do not trust it
        (*trusting, "--certificate", str(stranger.certificate), "--key", str(stranger.key)),  # it does not trust us
        trusting,
        ("--tls", "--ca", str(tmp_path / "none.pem")),
    ):
        code, record, said = run(where, *options)
        assert (code, record["step"]) == (4, "tls"), said
