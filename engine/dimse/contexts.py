"""What associations are accepted for: SOP classes, and the transfer syntaxes of each (PS3.4 annexes A, B and C, PS3.8 7.1.1.13)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import DEFAULT_TRANSFER_SYNTAXES
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification

from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from engine.dicom.transfer_syntax import (
    TABLE as TRANSFER_SYNTAXES,
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
    transfer_syntaxes : that are taken.
    is_scp, is_scu : roles that we can have.
    """

    service: str
    abstract_syntax: str
    name: str
    transfer_syntaxes: tuple[str, ...]
    is_scp: bool = True
    is_scu: bool = False

    def takes(self, transfer_syntax: str) -> bool:
        return transfer_syntax in self.transfer_syntaxes


CONTEXTS: tuple[Context, ...] = (
    Context("Verification", str(Verification), str(Verification.name), tuple(map(str, DEFAULT_TRANSFER_SYNTAXES))),
    # Nothing is decoded on the way in, so every transfer syntax that we can name is taken as it comes.
    *(
        Context("Storage", str(one.abstract_syntax), str(one.abstract_syntax.name), tuple(TRANSFER_SYNTAXES))
        for one in AllStoragePresentationContexts
        if one.abstract_syntax is not None
    ),
    *(Context("Query", str(model), UID(model).name, _IDENTIFIER_SYNTAXES) for model in LEVELS),
)
TABLE: dict[str, Context] = {one.abstract_syntax: one for one in CONTEXTS}
