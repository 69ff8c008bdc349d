"""The PDUs of an association's beginning against pynetdicom: what is read, taken and said (PS3.8 9.3, PS3.7 annex D)."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor
from wire import request

from engine.dimse.contexts import Context
from engine.dimse.negotiation import BUSY, Granted, Proposal, Rejection, Request, settle
from engine.errors import MalformedDataSet

_SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"]
_CLASSES = [f"1.2.3.{n}" for n in range(6)]
# What we have: some with all syntaxes and one role, one with one syntax, one with both roles; the last two are not ours.
_OURS = {
    _CLASSES[0]: Context("Storage", "store", _CLASSES[0], "a", tuple(_SYNTAXES)),
    _CLASSES[1]: Context("Storage", "store", _CLASSES[1], "b", (_SYNTAXES[1],)),
    _CLASSES[2]: Context("Storage", "store", _CLASSES[2], "c", tuple(_SYNTAXES), is_scu=True),
    _CLASSES[3]: Context("Storage", "store", _CLASSES[3], "d", tuple(_SYNTAXES[:2]), is_scp=False, is_scu=True),
}
_PROPOSED = st.lists(
    st.tuples(st.sampled_from(_CLASSES), st.lists(st.sampled_from(_SYNTAXES), min_size=1, max_size=4, unique=True)),
    min_size=1,
    max_size=12,
)
_ROLES = st.dictionaries(st.sampled_from(_CLASSES), st.sampled_from([(True, False), (False, True), (True, True)]))
_TITLES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=16
)


def proposal(proposed: list[tuple[str, list[str]]], roles: dict[str, tuple[bool, bool]], window: int = 1) -> Proposal:
    return Proposal(contexts=proposed, roles=roles, extended={_CLASSES[0]: b"\1\0"}, window=window)


def test_pynetdicom_reads_what_we_propose() -> None:
    pdu = proposal([(_CLASSES[0], _SYNTAXES)], {_CLASSES[0]: (True, True)}, 4).pdu("US", "THEM", 32768)
    read = A_ASSOCIATE_RQ()
    read.decode(pdu)
    primitive = read.to_primitive()
    assert (primitive.calling_ae_title, primitive.called_ae_title) == ("US", "THEM")
    [context] = primitive.presentation_context_definition_list
    assert (context.context_id, context.abstract_syntax, context.transfer_syntax) == (1, _CLASSES[0], _SYNTAXES)
    assert primitive.maximum_length_received == 32768


@given(_PROPOSED, _ROLES, _TITLES, _TITLES, st.integers(0, 20))
@settings(deadline=None)
def test_a_proposal_is_read_back(
    proposed: list[tuple[str, list[str]]], roles: dict[str, tuple[bool, bool]], calling: str, called: str, window: int
) -> None:
    asked = Request.parse(proposal(proposed, roles, window).pdu(calling, called, 16384))
    assert (asked.calling, asked.called, asked.pdu_bytes_max) == (calling, called, 16384)
    assert [(uid, list(syntaxes)) for _, uid, syntaxes in asked.proposed] == proposed
    assert [number for number, _, _ in asked.proposed] == list(range(1, 2 * len(proposed), 2))
    assert asked.roles == roles
    assert asked.extended == {_CLASSES[0]: b"\1\0"}
    assert asked.window == (None if window == 1 else (window, 1))


@given(_PROPOSED, _ROLES)
@settings(deadline=None)
def test_what_is_taken_is_what_pynetdicom_takes(
    proposed: list[tuple[str, list[str]]], roles: dict[str, tuple[bool, bool]]
) -> None:
    """Where we have the role that was asked for; and the requestor reads our answer as we meant it."""
    sent = proposal(proposed, roles)
    asked = Request.parse(sent.pdu("US", "THEM", 16384))
    terms = settle(asked, _OURS, window_max=8, agree=lambda uid, value: value[:1])

    requested = []
    for number, uid, syntaxes in asked.proposed:
        one = PresentationContext()
        one.context_id, one.abstract_syntax, one.transfer_syntax = number, uid, list(syntaxes)
        requested.append(one)
    supported = []
    for ours in _OURS.values():
        one = PresentationContext()
        one.abstract_syntax, one.transfer_syntax = ours.abstract_syntax, list(ours.transfer_syntaxes)
        one.scp_role, one.scu_role = ours.is_scu, ours.is_scp  # of the requestor
        supported.append(one)
    wanted = {}
    for uid, (scu, scp) in roles.items():
        item = SCP_SCU_RoleSelectionNegotiation()
        item.sop_class_uid, item.scu_role, item.scp_role = uid, scu, scp
        wanted[uid] = (scu, scp)
    found, _ = negotiate_as_acceptor(requested, supported, wanted)
    for theirs in found:
        number, uid = theirs.context_id, str(theirs.abstract_syntax)
        ours = _OURS.get(uid)
        if theirs.result in (3, 4):
            assert terms.rejected[number] == theirs.result
        elif number in terms.contexts:
            assert theirs.result == 0
            first = next(one for one in dict((n, s) for n, _, s in asked.proposed)[number] if ours and ours.takes(one))
            assert terms.contexts[number].transfer_syntax == first, "the requestor's order is its wish"
            assert (terms.contexts[number].is_scp, terms.contexts[number].is_scu) == (theirs.as_scp, theirs.as_scu)
        else:
            assert terms.rejected[number] == 1
            # No role that was asked for and that we have; who asks for none is the SCU (PS3.7 D.3.3.4).
            as_scu, as_scp = roles.get(uid, (True, False))
            assert ours is not None
            assert not (as_scu and ours.is_scp)
            assert not (as_scp and ours.is_scu)

    acceptance = terms.pdu(asked, 65536)
    read = A_ASSOCIATE_AC()
    read.decode(acceptance)
    assert len(read.presentation_context) == len(proposed)
    granted = Granted.parse(acceptance, sent)
    assert granted.pdu_bytes_max == 65536
    assert {number: one.transfer_syntax for number, one in granted.contexts.items()} == {
        number: one.transfer_syntax for number, one in terms.contexts.items()
    }
    for number, one in granted.contexts.items():
        assert (one.is_scu, one.is_scp) == (terms.contexts[number].is_scp, terms.contexts[number].is_scu)
    is_taken = _CLASSES[0] in {one.abstract_syntax for one in terms.contexts.values()}
    assert granted.extended == ({_CLASSES[0]: b"\1"} if is_taken else {})


def test_a_window_is_what_both_can() -> None:
    for asked_for, expected in ((0, 8), (3, 3), (20, 8)):
        asked = Request.parse(proposal([(_CLASSES[0], _SYNTAXES)], {}, asked_for).pdu("US", "THEM", 0))
        assert settle(asked, _OURS, window_max=8, agree=lambda uid, value: None).window == (expected, 1)


def test_a_rejection_as_pynetdicom_reads_it() -> None:
    for rejection in (BUSY, Rejection(1, 1, 7, "why")):
        read = A_ASSOCIATE_RJ()
        read.decode(rejection.pdu())
        assert (read.result, read.source, read.reason_diagnostic) == (
            rejection.result,
            rejection.source,
            rejection.reason,
        )


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 300))
@settings(deadline=None)
def test_a_damaged_request_is_an_error_of_the_sender(damage: bytes, at: int, cut: int) -> None:
    whole = bytearray(request())
    at = 6 + at % (len(whole) - 6)
    whole[at : at + len(damage)] = damage
    raw = bytes(whole[: len(whole) - cut % (len(whole) - 80)])
    try:
        asked = Request.parse(raw)
    except MalformedDataSet:
        return
    assert 0 < len(asked.proposed) <= 128
    with contextlib.suppress(MalformedDataSet):
        Granted.parse(raw, proposal([(_CLASSES[0], _SYNTAXES)], {}))
