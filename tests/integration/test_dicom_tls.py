"""DICOM over TLS, both ways: DCMTK and pynetdicom with certificates of ours, of others, of nobody, and expired (PS3.15 B.12)."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import Authority, Issued
from data import make_instance
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification
from serving import Serving
from wire import (
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    EXPLICIT,
    Wire,
    echo,
    p_data,
    request,
    status_of,
    store,
)

from engine.dimse.calling import call
from engine.dimse.command import C_ECHO
from engine.dimse.command import request as command_request
from engine.dimse.negotiation import Proposal
from engine.errors import InvalidParameter, PeerUnavailable
from engine.peers import Peer
from engine.settings import Settings
from engine.tls import Certificate, server_context
from engine.tls_settings import PROFILES, DicomTls

VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"


@dataclass(frozen=True, slots=True)
class World:
    """Who has which certificate, and the server that they call."""

    ours: Authority
    theirs: Authority
    server: Issued
    ct: Issued
    other: Issued
    expired: Issued
    stranger: Issued
    serving: Serving
    address: tuple[str, int]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    server = ours.issue("server", "IP:127.0.0.1,DNS:localhost")
    ct, other = ours.issue("CT7", "DNS:ct7.example"), ours.issue("OTHER")
    expired, stranger = ours.issue("expired", days=-1), theirs.issue("CT7", "DNS:ct7.example")
    (folder / "tls.toml").write_text(f"""
[limits]
association_request_s_max = 3

[dicom_tls]
listen = "127.0.0.1:0"
certificate = "{server.certificate.name}"
key = "{server.key.name}"
ca = "{ours.certificate.name}"
clients = "optional"

[peers.CT]
aet = "CT7"
tls = "on"
tls_names = ["CT7.example"]

[peers.PRINT]
aet = "PRINT"
tls = "on"
tls_names = ["sha256:{other.fingerprint}"]

[peers.ANY]
aet = "ANY"
tls = "on"
tls_client_certificate = true

[peers.PLAIN]
aet = "PLAIN"
""")
    options = ("--workers", "1", "--config", str(folder / "tls.toml"))
    with Serving(folder / "archive", *options, dicom="127.0.0.1:0") as running:
        host, _, port = running.dicom_tls.rpartition("@")[2].rpartition(":")
        yield World(ours, theirs, server, ct, other, expired, stranger, running, (host, int(port)))
        assert running.get("/readyz").status_code == 200


def context(world: World, shown: Issued | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(world.ours.certificate))
    if shown is not None:
        made.load_cert_chain(shown.certificate, shown.key)
    return made


def answer(world: World, aet: str, shown: Issued | None) -> tuple[int, bytes] | None:
    """Of an association request over TLS; None where the handshake ends the connection."""
    with socket.create_connection(world.address, 20) as plain:
        try:
            with context(world, shown).wrap_socket(plain, server_hostname="localhost") as secure:
                wire = Wire(secure)
                wire.send(request(aet))
                got = wire.receive()
                if got is not None and got[0] == ASSOCIATE_AC:
                    wire.send(p_data(1, 3, echo()))
                    assert status_of(wire.receive()) == 0
                return got
        except (ssl.SSLError, ConnectionError):
            return None


@pytest.mark.parametrize(
    ("aet", "shown", "expected"),
    [
        ("CT7", "ct", ASSOCIATE_AC),
        ("CT7", "other", ASSOCIATE_RJ),  # signed, and somebody else's
        ("CT7", None, ASSOCIATE_RJ),
        ("CT7", "stranger", None),  # the right name, signed by somebody else
        ("CT7", "expired", None),
        ("PRINT", "other", ASSOCIATE_AC),
        ("PRINT", "ct", ASSOCIATE_RJ),
        ("ANY", "ct", ASSOCIATE_AC),
        ("ANY", "other", ASSOCIATE_AC),
        ("ANY", None, ASSOCIATE_RJ),
        ("PLAIN", None, ASSOCIATE_AC),
    ],
)
def test_a_title_is_believed_with_its_certificate(
    world: World, aet: str, shown: str | None, expected: int | None
) -> None:
    got = answer(world, aet, getattr(world, shown) if shown else None)
    assert (None if got is None else got[0]) == expected
    if expected == ASSOCIATE_RJ:
        assert got is not None
        assert got[1][1:4] == bytes((1, 1, 1))


def test_without_tls_a_peer_of_tls_is_rejected(world: World) -> None:
    host, _, port = world.serving.dicom.rpartition("@")[2].rpartition(":")
    with Wire.to((host, int(port))) as wire:
        assert wire.associate(calling="CT7")[0] == ASSOCIATE_RJ


@pytest.mark.peer
def test_dcmtk_echoes_and_stores(world: World, tmp_path: Path) -> None:
    if shutil.which("echoscu") is None:
        pytest.skip("needs DCMTK")
    common = [
        "-aet",
        "CT7",
        "-aec",
        "VOXCAST",
        "+tls",
        world.ct.key,
        world.ct.certificate,
        "+cf",
        world.ours.certificate,
    ]
    where = [world.address[0], str(world.address[1])]
    subprocess.run(["echoscu", "-v", *common, *where], check=True, capture_output=True, timeout=60)
    (tmp_path / "one.dcm").write_bytes(make_instance("1.2.3.4.55", rows=512, columns=512))
    subprocess.run(["storescu", *common, *where, tmp_path / "one.dcm"], check=True, capture_output=True, timeout=60)
    frame = world.serving.get("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.55/frames/1")
    assert frame.status_code == 200
    stranger = ["-aet", "CT7", "+tls", world.stranger.key, world.stranger.certificate, "+cf", world.ours.certificate]
    assert subprocess.run(["echoscu", *stranger, *where], capture_output=True, timeout=60).returncode != 0


def test_pynetdicom_echoes(world: World) -> None:
    ae = AE("CT7")
    ae.add_requested_context(Verification)
    assoc = ae.associate(*world.address, tls_args=(context(world, world.ct), "localhost"))
    assert assoc.is_established
    assert assoc.send_c_echo().Status == 0
    assoc.release()


def test_a_large_instance_both_ways_of_the_wire(world: World) -> None:
    """Larger than any buffer between: in many records, spooled, and safe before it is answered."""

    instance = make_instance("1.2.3.4.56", rows=2048, columns=2048, frames=4)
    data = instance[144 + int.from_bytes(instance[140:144], "little") :]
    with socket.create_connection(world.address, 20) as plain:
        secure = context(world, world.ct).wrap_socket(plain, server_hostname="localhost")
        wire = Wire(secure)
        assert (
            wire.associate(calling="CT7", contexts=((3, "1.2.840.10008.5.1.4.1.1.2", (EXPLICIT,)),))[0] == ASSOCIATE_AC
        )
        wire.send(p_data(3, 3, store("1.2.3.4.56")))
        step = 100_000
        for at in range(0, len(data), step):
            wire.send(p_data(3, 2 if at + step >= len(data) else 0, data[at : at + step]))
        assert status_of(wire.receive()) == 0
        secure.close()
    assert world.serving.get("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.56/metadata").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_protocols_are_refused(world: World, version: ssl.TLSVersion) -> None:
    """RFC 8996."""
    made = context(world, world.ct)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = made.maximum_version = version
    with socket.create_connection(world.address, 20) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        made.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"])
def test_suites_without_forward_secrecy_or_authenticated_encryption_are_refused(world: World, suite: str) -> None:
    """RFC 9325 4.2; finite-field Diffie-Hellman is the older profile's."""
    made = context(world, world.ct)
    made.set_ciphers(suite)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(world.address, 20) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        made.wrap_socket(plain, server_hostname="localhost")


def test_a_handshake_that_stops_half_way_costs_its_sender_the_connection(world: World) -> None:
    """And no one else anything: it waits in the lobby with its deadline."""
    half = [socket.create_connection(world.address, 20) for _ in range(20)]
    for n, connection in enumerate(half):
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[: n % 11 + 1])
    got = answer(world, "CT7", world.ct)
    assert got is not None
    began = time.monotonic()
    for connection in half:
        while connection.recv(100):
            pass
        connection.close()
    assert time.monotonic() - began < 8
    with Wire.to(world.address) as wire:  # no TLS at all
        wire.send(request("PLAIN"))
        with contextlib.suppress(ConnectionError):
            while wire.connection.recv(100):
                pass


@pytest.fixture(scope="module")
def acceptor(world: World) -> Iterator[tuple[str, int]]:
    """pynetdicom as the other side: it wants a certificate of ours."""
    ae = AE("REMOTE")
    ae.add_supported_context(Verification)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(world.ours.certificate))
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(world.server.certificate, world.server.key)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, ssl_context=made, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0)]
    )
    assert server is not None
    yield server.server_address[:2]
    server.shutdown()


def peer(world: World, address: tuple[str, int], **more: object) -> Peer:
    values = {
        "name": "remote", "aet": "REMOTE", "host": address[0], "port": address[1], "tls": "on",
        "tls_ca": world.ours.certificate, "tls_certificate": world.ct.certificate, "tls_key": world.ct.key,
    }  # fmt: skip
    return Peer(**(values | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", PROFILES)
def test_we_call_with_tls(world: World, acceptor: tuple[str, int], profile: str) -> None:
    settings = Settings(archive=Path("a"), dicom_tls=DicomTls(profile=profile))
    proposal = Proposal(contexts=[(VERIFICATION, [IMPLICIT])])
    association = call(peer(world, acceptor, tls_names=("localhost",)), proposal, settings)
    context = association.context_for(VERIFICATION)
    assert context is not None
    association.send(
        context.id, command_request(C_ECHO, association.next_message_id(), AffectedSOPClassUID=VERIFICATION)
    )
    message = association.receive()
    assert message is not None
    assert message.command.status == 0
    association.release()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tls_ca": "theirs"}, "certificate verify failed"),
        ({"tls_names": ("ct7.example",)}, "somebody else"),
        ({"host": "127.0.0.2"}, "TLS failed"),  # not in its certificate
        ({"tls_certificate": Path("none.pem"), "tls_key": None}, "as the settings say"),
    ],
)
def test_whom_we_call_has_to_be_it(world: World, more: dict[str, object], why: str) -> None:
    tls = server_context(
        DicomTls(certificate=world.server.certificate, key=world.server.key, clients="off", listen="x:1")
    )
    with socket.create_server(("0.0.0.0", 0)) as listening:
        import threading

        def shake() -> None:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # nobody has called
            try:
                tls.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        thread = threading.Thread(target=shake, daemon=True)
        thread.start()
        if more.get("tls_ca"):
            more = more | {"tls_ca": world.theirs.certificate}
        called = peer(world, ("127.0.0.1", listening.getsockname()[1]), **more)
        with pytest.raises(PeerUnavailable, match=why):
            call(called, Proposal(contexts=[(VERIFICATION, [IMPLICIT])]), Settings(archive=Path("a")))


def test_a_certificate_that_cannot_be_read_is_told_before_the_server_is_ready(world: World, tmp_path: Path) -> None:
    for settings in (
        DicomTls(listen="127.0.0.1:0", certificate=tmp_path / "none.pem", clients="off"),
        DicomTls(listen="127.0.0.1:0", certificate=world.server.certificate, key=world.ct.key, clients="off"),
        DicomTls(listen="127.0.0.1:0", certificate=world.server.certificate, key=world.server.key, ca=world.server.key),
    ):
        with pytest.raises(InvalidParameter, match="dicom_tls"):
            server_context(settings)
    for bad in ({"listen": "127.0.0.1:0"}, {"listen": "127.0.0.1:0", "certificate": tmp_path}):
        with pytest.raises(InvalidParameter, match="needed"):
            DicomTls(**bad)  # type: ignore[arg-type]
    folder = tmp_path / "server"
    (tmp_path / "bad.toml").write_text(
        '[dicom_tls]\nlisten = "127.0.0.1:0"\ncertificate = "none.pem"\nclients = "off"\n'
    )
    with pytest.raises(AssertionError, match=r"dicom_tls\.certificate"):
        Serving(folder, "--config", str(tmp_path / "bad.toml")).start()


def test_names_of_a_certificate() -> None:
    certificate = Certificate(frozenset({"ct7.example", "ct7"}), "4fa0" * 16)
    assert certificate.has_one_of(["x", "CT7"])
    assert certificate.has_one_of(["sha256:" + ":".join(["4F", "A0"] * 16)])
    assert not certificate.has_one_of(["ct", "*.example", "sha256:" + "00" * 32, "4fa0" * 16])
    assert not certificate.has_one_of([])
