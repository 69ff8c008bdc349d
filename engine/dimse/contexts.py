"""What associations are accepted for: SOP classes, and the transfer syntaxes of each (PS3.4 annexes A, B and C, PS3.8 7.1.1.13)."""

from __future__ import annotations

from dataclasses import dataclass

from pynetdicom import DEFAULT_TRANSFER_SYNTAXES
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification

from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TABLE,
)
from engine.dimse.find import LEVELS

_IDENTIFIER_SYNTAXES = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)


@dataclass(frozen=True, slots=True)
class Context:
    """One abstract syntax that is accepted; the acceptor's table and the conformance statement's.

    Attributes
    ----------
    service : of PS3.4.
    """

    service: str
    abstract_syntax: str
    name: str
    transfer_syntaxes: tuple[str, ...]


CONTEXTS: tuple[Context, ...] = (
    Context("Verification", str(Verification), str(Verification.name), tuple(map(str, DEFAULT_TRANSFER_SYNTAXES))),
    # Nothing is decoded on the way in, so every transfer syntax that we can name is taken as it comes.
    *(
        Context("Storage", str(one.abstract_syntax), str(one.abstract_syntax.name), tuple(TABLE))
        for one in AllStoragePresentationContexts
        if one.abstract_syntax is not None
    ),
    *(Context("Query", str(model), str(model.name), _IDENTIFIER_SYNTAXES) for model in LEVELS),
)
