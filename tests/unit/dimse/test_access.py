"""Who is admitted, without a network: addresses that no test machine has, and every permission."""

from __future__ import annotations

from pathlib import Path

import pytest
from wire import request

from engine.dimse.access import OTHER, Caller, admit, may_unknown
from engine.dimse.contexts import CONTEXTS, table_for
from engine.dimse.negotiation import Request
from engine.peers import PERMISSIONS, Peer
from engine.settings import Settings

_CT = Peer(name="ct", aet="CT7", addresses=("10.1.0.0/16",), permissions=("store",), associations_max=3, idle_s_max=7)
_SETTINGS = Settings(archive=Path("a"), peers=(_CT,))
_CT_CALLS = Request.parse(request("CT7"))
_ANYONE_CALLS = Request.parse(request("ANYONE"))


def test_a_peer_brings_its_permissions_and_limits() -> None:
    caller = admit(_CT_CALLS, "10.1.2.3", _SETTINGS)
    assert isinstance(caller, Caller)
    assert (caller.name, caller.permissions, caller.associations_max) == ("ct", ("store",), 3)
    assert caller.limits.association_idle_s_max == 7
    assert caller.limits.pdu_bytes_max == _SETTINGS.limits.pdu_bytes_max


def test_a_peers_title_from_elsewhere_is_not_an_unknown_caller() -> None:
    assert not isinstance(admit(_CT_CALLS, "127.0.0.1", _SETTINGS), Caller)


@pytest.mark.parametrize(
    ("address", "setting", "expected"),
    [
        ("127.0.0.1", None, PERMISSIONS),
        ("::1", None, PERMISSIONS),
        ("10.1.2.3", None, ()),
        ("10.1.2.3", ("echo",), ("echo",)),
        ("127.0.0.1", (), ()),
    ],
)
def test_what_unknown_callers_may(address: str, setting: tuple[str, ...] | None, expected: tuple[str, ...]) -> None:
    settings = Settings(archive=Path("a"), unknown_callers=setting)
    assert may_unknown(address, settings) == expected
    caller = admit(_ANYONE_CALLS, address, settings)
    assert isinstance(caller, Caller) == bool(expected)
    if isinstance(caller, Caller):
        assert (caller.name, caller.account) == (OTHER, f"address {address}")


def test_every_context_needs_a_permission() -> None:
    assert {one.permission for one in CONTEXTS} <= set(PERMISSIONS)
    for one in CONTEXTS:
        nothing = table_for(()).get(one.abstract_syntax)
        assert nothing is not None
        assert not nothing.is_scp
        assert not nothing.is_scu
        assert table_for(PERMISSIONS).get(one.abstract_syntax) == one
        for permission in PERMISSIONS:
            allowed = table_for((permission,)).get(one.abstract_syntax)
            assert allowed is not None
            assert allowed.is_scp == (one.permission == permission)


_RETIRED, _NEWER, _PRIVATE = "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.601.1", "1.2.276.0.7230010.3.1.0.1"
_NEVER = (
    "1.2.840.10008.1.20.1",
    "1.2.840.10008.1.20.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.3.10",
    "1.2.840.10008.5.1.1.9",
    "1.2..3",
    "",
)


@pytest.mark.parametrize(
    ("setting", "taken"),
    [
        ((), set()),
        (("retired",), {_RETIRED}),
        (("any",), {_RETIRED, _NEWER, _PRIVATE}),
        ((_PRIVATE,), {_PRIVATE}),
        (("retired", _PRIVATE), {_RETIRED, _PRIVATE}),
    ],
)
def test_storage_classes_beside_the_standards(setting: tuple[str, ...], taken: set[str]) -> None:
    table = table_for(PERMISSIONS, setting)
    for uid in (_RETIRED, _NEWER, _PRIVATE):
        found = table.get(uid)
        assert (found is not None) == (uid in taken), uid
        if found is not None:
            assert found.service == "Storage"
            assert found.is_scp
            refused = table_for(("echo",), setting).get(uid)
            assert refused is not None
            assert not refused.is_scp
    assert not [uid for uid in _NEVER if uid not in {one.abstract_syntax for one in CONTEXTS} and table.get(uid)]
