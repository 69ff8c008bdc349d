"""Peers: what a [peers.NAME] table becomes, where its values came from, and what is refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.errors import InvalidParameter
from engine.peers import Peer, peer_named, peer_titled
from engine.settings import Loaded, Settings, load

_TWO = """
jpeg_quality = 80
[peers.MAIN]
aet = "MAIN_PACS "
host = "pacs.example"
port = 11112
permissions = ["store", "echo"]
tls = "on"
tls_ca = "ca.pem"
tls_client_certificate = true
tls_names = ["sha256:4f", "ct7.example"]

[peers.ct-7]
aet = "CT7"
addresses = ["10.1.2.3", "10.2.0.0/16", "fd00::/8"]
[limits]
spool_bytes = 5
"""


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def from_text(text: str) -> Loaded:
        path = tmp_path / "voxcast.toml"
        path.write_text(text)
        return load(config=path, environ={}, command_line={})

    return from_text


def test_each_table_is_one_peer_and_every_value_has_its_origin(read: Any, tmp_path: Path) -> None:
    result = read(_TWO)
    main, ct = result.settings.peers
    assert main == Peer(
        name="MAIN",
        aet="MAIN_PACS",
        host="pacs.example",
        port=11112,
        permissions=("echo", "store"),
        tls="on",
        tls_ca=tmp_path / "ca.pem",
        tls_client_certificate=True,
        tls_names=("sha256:4f", "ct7.example"),
    )
    assert ct == Peer(name="ct-7", aet="CT7", addresses=("10.1.2.3/32", "10.2.0.0/16", "fd00::/8"))
    assert result.origins["peers.MAIN.port"] == f"file {tmp_path / 'voxcast.toml'}"
    assert result.origins["peers.ct-7.port"] == "default"
    assert result.settings.limits.spool_bytes == 5
    assert Settings.from_json(result.settings.to_json()) == result.settings


def test_as_delivered_nobody_is_known_and_everybody_may_everything() -> None:
    assert Settings().peers == ()
    assert Settings().unknown_callers is None  # everything from this machine: tests/conformance/test_access.py


def test_what_unknown_callers_may_do_is_a_setting(read: Any) -> None:
    assert read("unknown_callers = []").settings.unknown_callers == ()
    assert read('unknown_callers = ["find", "echo"]').settings.unknown_callers == ("echo", "find")
    environ = {"VOXCAST_UNKNOWN_CALLERS": "store, echo"}
    assert load(config=None, environ=environ, command_line={}).settings.unknown_callers == ("echo", "store")


def test_a_peer_is_found_by_name_and_by_title(read: Any) -> None:
    peers = read(_TWO).settings.peers
    assert peer_named(peers, "ct-7") is peers[1] is peer_titled(peers, "CT7 ")
    assert peer_named(peers, "CT7") is peer_titled(peers, "ct7") is None
    assert peers[0].is_reachable
    assert not peers[1].is_reachable
    assert peers[0].may("echo")
    assert not peers[0].may("find")


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("10.1.2.3", True),
        ("10.1.2.4", False),
        ("10.2.255.1", True),
        ("::ffff:10.1.2.3", True),
        ("fd12::1", True),
        ("::1", False),
    ],
)
def test_a_peer_calls_from_its_addresses(read: Any, address: str, is_it: bool) -> None:
    anywhere, ct = read(_TWO).settings.peers
    assert ct.calls_from(address) is is_it
    assert anywhere.calls_from(address)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("peers = 3", "peers", r"tables such as \[peers.NAME\]"),
        ("[peers]\nMAIN = 3", "peers.MAIN", "a table"),
        ('[peers.A]\nhost = "x"', "peers.A.aet", "needed"),
        ('[peers.A]\naet = "A"\nhots = "x"', "peers.A.hots", r"the nearest is peers\.A\.host"),
        ('[peers.A]\naet = "A"\nhost = "x:104"', "peers.A.host", "a host name or an address"),
        ('[peers.A]\naet = "A"\nhost = "x y"', "peers.A.host", "a host name or an address"),
        ('[peers.A]\naet = "A"\nport = 0', "peers.A.port", "a number from 1 to 65535"),
        ('[peers.A]\naet = "SEVENTEEN_LETTERS"', "peers.A.aet", "printable"),
        ('[peers.A]\naet = "A"\npermissions = ["delete"]', "peers.A.permissions", "a list of echo, store"),
        ('[peers.A]\naet = "A"\naddresses = "10.0.0.1"', "peers.A.addresses", "a list of addresses"),
        ('[peers.A]\naet = "A"\naddresses = ["10.0.0.300"]', "peers.A.addresses", "a list of addresses"),
        ('[peers.A]\naet = "A"\ntls = true', "peers.A.tls", "off or on"),
        ('[peers.A]\naet = "A"\ntls = "on"\ntls_key = "k"', "peers.A.tls_key", "tls_certificate"),
        ('[peers.A]\naet = "A"\ntls_client_certificate = true', "peers.A.tls_client_certificate", "tls = .on."),
        ('[peers.A]\naet = "A"\ntls_names = ["a"]', "peers.A.tls_names", "tls = .on."),
        ('[peers."a b"]\naet = "A"', "peers.a b.name", "letters"),
        ('[peers.other]\naet = "A"', "peers.other.name", "not other"),
        ('[peers.A]\naet = "A"\n[peers.B]\naet = "A"', "peers.B.aet", r"peers\.A has it"),
    ],
)
def test_a_bad_table_is_refused_with_its_key(read: Any, text: str, name: str, expected: str) -> None:
    with pytest.raises(InvalidParameter, match=expected) as caught:
        read(text)
    assert caught.value.name == name


def test_config_show_gives_the_tables_back(tmp_path: Path, read: Any) -> None:
    before = read(_TWO).settings
    runner = CliRunner()
    shown = runner.invoke(app, ["config", "show", "--config", str(tmp_path / "voxcast.toml")])
    assert shown.exit_code == 0, shown.output
    assert "peers" in tomllib.loads(shown.stdout)
    assert read(shown.stdout).settings == before
    lines = runner.invoke(
        app, ["config", "show", "--json", "--config", str(tmp_path / "voxcast.toml")]
    ).stdout.splitlines()
    of_port = next(one for one in map(json.loads, lines) if one["key"] == "peers.MAIN.port")
    assert (of_port["value"], of_port["default"]) == (11112, 104)
    assert of_port["origin"].startswith("file ")
