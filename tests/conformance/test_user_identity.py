"""User identity negotiation, PS3.7 D.3.3.7: names, passcodes, what nobody can verify, and the response where one was asked for."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from data import make_instance
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import CTImageStorage, Verification
from serving import Serving
from wire import ASSOCIATE_AC, ASSOCIATE_RJ, CT_IMAGE, EXPLICIT, IMPLICIT, VERIFICATION, Wire, item, results

from engine.users import User, check_password, hash_password

CONTEXTS = ((1, VERIFICATION, (IMPLICIT,)), (3, CT_IMAGE, (EXPLICIT,)))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("users")
    (folder / "v.toml").write_text(f"""
[users.ann]
password = "{hash_password("secret")}"

[users."bob @ 3"]
permissions = ["echo"]

[users.finder]
permissions = ["find"]

[peers.CAREFUL]
aet = "CAREFUL"
needs_user = true

[peers.CT]
aet = "CT7"
permissions = ["store"]
""")
    with Serving(folder / "a", "--config", str(folder / "v.toml"), "--workers", "1", dicom="127.0.0.1:0") as running:
        host, _, port = running.dicom.rpartition("@")[2].rpartition(":")
        yield host, int(port)


def identity(kind: int, primary: bytes, secondary: bytes = b"", wants_response: bool = False) -> bytes:
    fields = (
        struct.pack(">BBH", kind, wants_response, len(primary))
        + primary
        + struct.pack(">H", len(secondary))
        + secondary
    )
    return item(0x58, fields)


@pytest.mark.parametrize(
    ("calling", "claim", "expected"),
    [
        ("ANY", b"", {1: 0, 3: 0}),
        ("ANY", identity(2, b"ann", b"secret"), {1: 0, 3: 0}),
        ("ANY", identity(2, b"ann", b"secret "), None),
        ("ANY", identity(2, b"ann", b""), None),
        ("ANY", identity(1, b"ann"), None),
        ("ANY", identity(2, b"nobody", b"secret"), None),
        ("ANY", identity(1, b"nobody"), None),
        ("ANY", identity(1, b"bob @ 3"), {1: 0, 3: 1}),  # what both the caller and the user may
        ("ANY", identity(2, b"bob @ 3", b""), None),
        ("CT7", identity(1, b"bob @ 3"), None),  # which is nothing
        ("CT7", identity(2, b"ann", b"secret"), {1: 1, 3: 0}),
        ("CAREFUL", b"", None),
        ("CAREFUL", identity(2, b"ann", b"secret"), {1: 0, 3: 0}),
        ("ANY", identity(3, b"a ticket"), None),
        ("ANY", identity(4, b"<saml/>"), None),
        ("ANY", identity(5, b"e30.e30."), None),
    ],
)  # fmt: skip
def test_who_is_taken(address: tuple[str, int], calling: str, claim: bytes, expected: dict[int, int] | None) -> None:
    with Wire.to(address) as wire:
        answer = wire.associate(calling=calling, contexts=CONTEXTS, more=claim)
        if expected is None:
            assert answer[0] == ASSOCIATE_RJ
            assert answer[1][1:4] == bytes((1, 1, 1))
        else:
            assert results(answer) == expected
            assert b"\x59\x00\x00" not in answer[1], "a response that nobody asked for"


@pytest.mark.parametrize("kind", [1, 2])
def test_a_positive_response_where_it_was_asked_for(address: tuple[str, int], kind: int) -> None:
    ae = AE("ANY")
    ae.add_requested_context(Verification)
    claim = UserIdentityNegotiation()
    claim.user_identity_type, claim.positive_response_requested = kind, True
    claim.primary_field = b"ann" if kind == 2 else b"bob @ 3"
    if kind == 2:
        claim.secondary_field = b"secret"
    assoc = ae.associate(*address, ext_neg=[claim])
    assert assoc.is_established
    assert assoc.acceptor.user_identity is not None
    assert assoc.send_c_echo().Status == 0
    assoc.release()


@pytest.mark.peer
def test_dcmtk_says_who_it_is(address: tuple[str, int], tmp_path: Path) -> None:
    if shutil.which("storescu") is None:
        pytest.skip("needs DCMTK")
    (tmp_path / "one.dcm").write_bytes(make_instance("1.2.3.4.55"))
    for password, is_taken in (("secret", True), ("wrong", False)):
        command = ["storescu", "--user", "ann", "--password", password, "--pos-response", *map(str, address)]
        run = subprocess.run([*command, tmp_path / "one.dcm"], capture_output=True, timeout=60)
        assert (run.returncode == 0) == is_taken, run.stderr


def test_without_users_a_claim_is_passed_over(tmp_path: Path) -> None:
    with Serving(tmp_path / "a", "--workers", "1", dicom="127.0.0.1:0") as running:
        host, _, port = running.dicom.rpartition("@")[2].rpartition(":")
        for claim in (identity(2, b"x", b"y", True), identity(5, b"e30.e30.", b"", True)):
            with Wire.to((host, int(port))) as wire:
                answer = wire.associate(contexts=CONTEXTS, more=claim)
                assert answer[0] == ASSOCIATE_AC
                assert b"\x59\x00" not in answer[1]


def test_a_password_is_kept_as_a_hash() -> None:
    made = hash_password("sécret")
    assert made != hash_password("sécret")
    assert "cret" not in made
    user = User(name="x", password=made)
    assert check_password("sécret".encode(), user)
    assert not check_password(b"secret", user)
    assert not check_password(b"", User(name="x"))
    assert not check_password("sécret".encode(), None)
    assert CTImageStorage == CT_IMAGE
