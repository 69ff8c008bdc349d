"""docs/conformance.md is what a requestor finds: every context of its table is accepted, and nothing beside it (PS3.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelMove
from serving import Serving

from engine.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from engine.dimse.contexts import CONTEXTS
from engine.limits import Limits

CONTEXTS_MAX = 128  # PS3.8 9.3.2.2: identifiers are the odd numbers of one byte


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with Serving(tmp_path_factory.mktemp("archive"), dicom="127.0.0.1:0") as running:
        host, _, port = running.dicom.rpartition("@")[2].rpartition(":")
        yield host, int(port)


@pytest.mark.parametrize("start", range(0, len(CONTEXTS), CONTEXTS_MAX))
def test_every_context_of_the_table(address: tuple[str, int], start: int) -> None:
    ae = AE("TESTER")
    asked = CONTEXTS[start : start + CONTEXTS_MAX]
    for context in asked:
        ae.add_requested_context(context.abstract_syntax, list(context.transfer_syntaxes))
    assoc = ae.associate(*address)
    assert assoc.is_established
    accepted = {str(one.abstract_syntax): [str(uid) for uid in one.transfer_syntax] for one in assoc.accepted_contexts}
    assert accepted == {one.abstract_syntax: [one.transfer_syntaxes[0]] for one in asked}
    assert str(assoc.acceptor.implementation_class_uid) == IMPLEMENTATION_CLASS_UID
    assert assoc.acceptor.implementation_version_name == IMPLEMENTATION_VERSION_NAME
    assert assoc.acceptor.maximum_length == Limits().pdu_bytes_max
    assoc.release()


@pytest.mark.parametrize("is_reversed", [False, True])
def test_of_several_transfer_syntaxes_the_first_that_the_requestor_names(
    address: tuple[str, int], is_reversed: bool
) -> None:
    image = next(one for one in CONTEXTS if one.service == "Storage")
    syntaxes = [image.transfer_syntaxes[3], "1.2.3.4.5", image.transfer_syntaxes[-1]]
    ae = AE("TESTER")
    ae.add_requested_context(image.abstract_syntax, syntaxes[::-1] if is_reversed else syntaxes)
    assoc = ae.associate(*address)
    accepted = [str(uid) for one in assoc.accepted_contexts for uid in one.transfer_syntax]
    assert accepted == [image.transfer_syntaxes[-1 if is_reversed else 3]]
    assoc.release()


def test_nothing_beside_the_table(address: tuple[str, int]) -> None:
    known = {one.abstract_syntax for one in CONTEXTS}
    ae = AE("TESTER")
    ae.add_requested_context(CONTEXTS[0].abstract_syntax)
    others = [uid for uid in (str(PatientRootQueryRetrieveInformationModelMove), "1.2.3.4.5") if uid not in known]
    assert others
    for uid in others:
        ae.add_requested_context(uid)
    assoc = ae.associate(*address)
    assert assoc.is_established
    assert {str(one.abstract_syntax): one.result for one in assoc.rejected_contexts} == dict.fromkeys(others, 0x03)
    assoc.release()
