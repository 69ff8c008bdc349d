"""What associations are accepted for: SOP classes, and the transfer syntaxes of each (PS3.4 A to C, F, K, Y, Z, PS3.8 7.1.1.13)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

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
from engine.dimse.commitment import PUSH_MODEL
from engine.dimse.find import LEVELS
from engine.dimse.performed import PERFORMED, RETRIEVAL
from engine.dimse.storage_classes import is_taken
from engine.dimse.wanted import GET_LEVELS, MOVE_LEVELS, ROOT_GET, ROOT_MOVE, WITHOUT_BULK
from engine.dimse.worklist import WORKLIST

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
    permission : what a caller needs for it, one of `engine.peers.PERMISSIONS`.
    transfer_syntaxes : that are taken.
    is_scp, is_scu : roles that we can have.
    """

    service: str
    permission: str
    abstract_syntax: str
    name: str
    transfer_syntaxes: tuple[str, ...]
    is_scp: bool = True
    is_scu: bool = False

    def takes(self, transfer_syntax: str) -> bool:
        return transfer_syntax in self.transfer_syntaxes


def _storage(uid: str) -> Context:
    # Nothing is decoded on the way in, so every transfer syntax that we can name is taken as it comes.
    return Context("Storage", "store", uid, UID(uid).name, tuple(TRANSFER_SYNTAXES), is_scu=True)


CONTEXTS: tuple[Context, ...] = (
    Context(
        "Verification", "echo", str(Verification), str(Verification.name), tuple(map(str, DEFAULT_TRANSFER_SYNTAXES))
    ),
    *(_storage(str(one.abstract_syntax)) for one in AllStoragePresentationContexts if one.abstract_syntax is not None),
    *(Context("Query", "find", str(model), UID(model).name, _IDENTIFIER_SYNTAXES) for model in LEVELS),
    *(Context("Retrieve", "move", str(uid), UID(uid).name, _IDENTIFIER_SYNTAXES) for uid in (*MOVE_LEVELS, ROOT_MOVE)),
    *(
        Context("Retrieve", "get", str(uid), UID(uid).name, _IDENTIFIER_SYNTAXES)
        for uid in (*GET_LEVELS, ROOT_GET, WITHOUT_BULK)
    ),
    Context("Storage Commitment", "commit", PUSH_MODEL, UID(PUSH_MODEL).name, _IDENTIFIER_SYNTAXES),
    Context("Worklist", "worklist", WORKLIST, UID(WORKLIST).name, _IDENTIFIER_SYNTAXES),
    *(Context("Procedure Step", "mpps", uid, UID(uid).name, _IDENTIFIER_SYNTAXES) for uid in (PERFORMED, RETRIEVAL)),
)
TABLE: dict[str, Context] = {one.abstract_syntax: one for one in CONTEXTS}


def context_of(abstract_syntax: str) -> Context:
    """What an accepted context is for: storage, where the table has it not (`storage_classes` of the settings)."""
    return TABLE.get(abstract_syntax) or _storage(abstract_syntax)


def table_for(permissions: Collection[str], storage_classes: Collection[str] = ()) -> Table:
    """What is accepted of a caller with these permissions; for what it may not no role is left: user-rejection (PS3.8 9.3.3.2).

    Storage contexts are also what a C-GET brings its instances in: there we are the SCU.
    """
    return Table(permissions, storage_classes)


class Table:
    """See `table_for`."""

    def __init__(self, permissions: Collection[str], storage_classes: Collection[str]) -> None:
        self._permissions, self._storage_classes = permissions, storage_classes

    def get(self, abstract_syntax: str) -> Context | None:
        """None for what nobody may use."""
        one = TABLE.get(abstract_syntax)
        if one is None:
            if not is_taken(abstract_syntax, self._storage_classes):
                return None
            one = _storage(abstract_syntax)
        as_scu = "get" if one.service == "Storage" else one.permission
        return replace(
            one,
            is_scp=one.is_scp and one.permission in self._permissions,
            is_scu=one.is_scu and as_scu in self._permissions,
        )
