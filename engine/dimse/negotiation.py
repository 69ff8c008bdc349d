"""What an association is for: its request, what of it we take, and the PDUs that say so (PS3.8 7.1.1, 9.3, PS3.7 annex D).

pynetdicom knows the items of these PDUs; what is taken is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext as PresentationContextItem

from engine.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from engine.dimse.association import PresentationContext
from engine.dimse.contexts import Context
from engine.errors import MalformedDataSet

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_ACCEPTED, _USER_REJECTION, _NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 0, 1, 3, 4
_CONTEXTS_MAX = 128  # their identifiers are the odd numbers of one byte (PS3.8 9.3.2.2)
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Rejection:
    """Of a request: the numbers of A-ASSOCIATE-RJ (PS3.8 table 9-21), and why, for the log."""

    result: int
    source: int
    reason: int
    why: str

    def pdu(self) -> bytes:
        primitive = A_ASSOCIATE()
        primitive.result, primitive.result_source, primitive.diagnostic = self.result, self.source, self.reason
        return bytes(A_ASSOCIATE_RJ(primitive).encode())


BUSY = Rejection(2, 3, 2, "as many associations as there may be")
UNKNOWN_APPLICATION = Rejection(1, 1, 2, "an application context that is not DICOM's")
UNKNOWN_CALLER = Rejection(1, 1, 3, "a calling AE title that is not known")
UNKNOWN_CALLED = Rejection(1, 1, 7, "a called AE title that is not ours")
NOT_ALLOWED = Rejection(1, 1, 1, "a caller that may not")


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """As claimed (PS3.7 D.3.3.7): type 1 user name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JSON web token."""

    type: int
    primary: bytes
    secondary: bytes
    wants_response: bool


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ.

    Attributes
    ----------
    proposed : identifier, abstract syntax and transfer syntaxes, in the requestor's order.
    roles : SCU and SCP role that the requestor wants, by SOP class; None where it did not say.
    window : operations that the requestor may invoke, and may perform; 0 is any number.
    """

    calling: str
    called: str
    application_context: str
    proposed: tuple[tuple[int, str, tuple[str, ...]], ...]
    pdu_bytes_max: int
    implementation_class_uid: str
    implementation_version: str
    roles: Mapping[str, tuple[bool, bool]]
    extended: Mapping[str, bytes]
    window: tuple[int, int] | None
    user: UserIdentity | None

    @classmethod
    def parse(cls, pdu: bytes) -> Request:
        """Raises MalformedDataSet for what cannot be read."""
        try:
            read = A_ASSOCIATE_RQ()
            read.decode(pdu)
            primitive = read.to_primitive()
            items = list(primitive.user_information)
            proposed = tuple(
                (int(one.context_id), str(one.abstract_syntax or ""), tuple(map(str, one.transfer_syntax)))
                for one in primitive.presentation_context_definition_list
            )
        except Exception as error:
            raise MalformedDataSet(f"the association request cannot be read ({type(error).__name__})") from error
        numbers = [number for number, _, _ in proposed]
        if not 0 < len(numbers) <= _CONTEXTS_MAX or len(set(numbers)) != len(numbers):
            raise MalformedDataSet(
                f"the association request has {len(numbers)} presentation contexts, or two of one number"
            )
        window = _first(items, AsynchronousOperationsWindowNegotiation)
        user = _first(items, UserIdentityNegotiation)
        length = _first(items, MaximumLengthNotification)
        return cls(
            calling=str(primitive.calling_ae_title).strip(),
            called=str(primitive.called_ae_title).strip(),
            application_context=str(primitive.application_context_name or ""),
            proposed=proposed,
            pdu_bytes_max=int(length.maximum_length_received or 0) if length else 0,
            implementation_class_uid=_text(
                _first(items, ImplementationClassUIDNotification), "implementation_class_uid"
            ),
            implementation_version=_text(
                _first(items, ImplementationVersionNameNotification), "implementation_version_name"
            ),
            roles={
                str(one.sop_class_uid): (bool(one.scu_role), bool(one.scp_role))
                for one in items
                if isinstance(one, SCP_SCU_RoleSelectionNegotiation)
            },
            extended={
                str(one.sop_class_uid): bytes(one.service_class_application_information or b"")
                for one in items
                if isinstance(one, SOPClassExtendedNegotiation)
            },
            window=(int(window.maximum_number_operations_invoked), int(window.maximum_number_operations_performed))
            if window
            else None,
            user=UserIdentity(
                int(user.user_identity_type),
                bytes(user.primary_field or b""),
                bytes(user.secondary_field or b""),
                bool(user.positive_response_requested),
            )
            if user
            else None,
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What we take of a request; `pdu` says it to the requestor.

    Attributes
    ----------
    contexts : accepted ones by identifier.
    window : operations that we perform at once, and that we may invoke at once.
    user_response : for the positive response that the requestor wanted; None for none.
    """

    contexts: Mapping[int, PresentationContext]
    rejected: Mapping[int, int]
    roles: Mapping[str, tuple[bool, bool]]
    extended: Mapping[str, bytes]
    window: tuple[int, int] | None
    user_response: bytes | None = None

    def pdu(self, asked: Request, pdu_bytes_max: int) -> bytes:
        """A-ASSOCIATE-AC."""
        primitive = A_ASSOCIATE()
        primitive.application_context_name = APPLICATION_CONTEXT
        primitive._calling_ae_title, primitive._called_ae_title = asked.calling, asked.called  # as they came
        primitive.result = 0
        primitive.presentation_context_definition_results_list = [
            _item(number, abstract, self.contexts[number].transfer_syntax if number in self.contexts else syntaxes[0],
                  self.rejected.get(number, _ACCEPTED))
            for number, abstract, syntaxes in asked.proposed
        ]  # fmt: skip
        items = _own_items(pdu_bytes_max, self.window)
        items += [_role(uid, *roles) for uid, roles in self.roles.items()]
        items += [_extended(uid, value) for uid, value in self.extended.items()]
        if self.user_response is not None:
            user = UserIdentityNegotiation()
            user.server_response = self.user_response
            items.append(user)
        primitive.user_information = items
        return bytes(A_ASSOCIATE_AC(primitive).encode())


class Offered(Protocol):
    """SOP classes that we have."""

    def get(self, abstract_syntax: str, /) -> Context | None: ...


Agree = Callable[[str, bytes], bytes | None]  # what is taken of a SOP class's extended negotiation


def settle(
    asked: Request, table: Offered, *, window_max: int, agree: Agree, user_response: bytes | None = None
) -> Terms:
    """What of `asked` is taken: every context whose SOP class `table` has, with the first transfer syntax that we can.

    The requestor's order of transfer syntaxes is its wish (PS3.8 9.3.2.2); nothing is decoded on the way in, so that
    nothing speaks against it. Roles are granted where `table` has us in both (PS3.7 D.3.3.4).
    """
    contexts: dict[int, PresentationContext] = {}
    rejected: dict[int, int] = {}
    roles: dict[str, tuple[bool, bool]] = {}
    for number, abstract_syntax, transfer_syntaxes in asked.proposed:
        ours = table.get(abstract_syntax)
        if ours is None:
            rejected[number] = _NO_ABSTRACT_SYNTAX
            continue
        taken = next((uid for uid in transfer_syntaxes if ours.takes(uid)), None)
        if taken is None:
            rejected[number] = _NO_TRANSFER_SYNTAX
            continue
        wanted = asked.roles.get(abstract_syntax)
        is_scu, is_scp = False, ours.is_scp
        if wanted is not None:
            # The requestor's SCP role is our SCU role.
            is_scp, is_scu = wanted[0] and ours.is_scp, wanted[1] and ours.is_scu
        if not is_scu and not is_scp:
            rejected[number] = _USER_REJECTION
            continue
        if wanted is not None:
            roles[abstract_syntax] = (is_scp, is_scu)
        contexts[number] = PresentationContext(number, abstract_syntax, taken, is_scu, is_scp)
    accepted = {one.abstract_syntax for one in contexts.values()}
    extended = {
        uid: answer
        for uid, value in asked.extended.items()
        if uid in accepted and (answer := agree(uid, value)) is not None
    }
    window = None
    if asked.window is not None:
        invoked, performed = asked.window
        window = (min(invoked, window_max) if invoked else window_max, performed)
    return Terms(contexts, rejected, roles, extended, window, user_response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What we ask for as the requestor.

    Attributes
    ----------
    contexts : abstract syntax and transfer syntaxes; at most 128.
    roles : SCU and SCP role that we want, by SOP class, where not SCU alone.
    window : operations that we would like to invoke at once.
    """

    contexts: Sequence[tuple[str, Sequence[str]]]
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    extended: Mapping[str, bytes] = field(default_factory=dict)
    window: int = 1

    def pdu(self, calling: str, called: str, pdu_bytes_max: int) -> bytes:
        """A-ASSOCIATE-RQ."""
        primitive = A_ASSOCIATE()
        primitive.application_context_name = APPLICATION_CONTEXT
        primitive.calling_ae_title, primitive.called_ae_title = calling, called
        proposed = []
        for number, (abstract_syntax, transfer_syntaxes) in enumerate(self.contexts):
            one = PresentationContextItem()
            one.context_id = 2 * number + 1
            one.abstract_syntax = abstract_syntax
            one.transfer_syntax = list(transfer_syntaxes)
            proposed.append(one)
        primitive.presentation_context_definition_list = proposed
        items = _own_items(pdu_bytes_max, (self.window, 1) if self.window != 1 else None)
        items += [_role(uid, *roles) for uid, roles in self.roles.items()]
        items += [_extended(uid, value) for uid, value in self.extended.items()]
        primitive.user_information = items
        return bytes(A_ASSOCIATE_RQ(primitive).encode())


@dataclass(frozen=True, slots=True)
class Granted:
    """An A-ASSOCIATE-AC, read with what was proposed."""

    contexts: Mapping[int, PresentationContext]
    pdu_bytes_max: int
    extended: Mapping[str, bytes]
    window: tuple[int, int]

    @classmethod
    def parse(cls, pdu: bytes, proposal: Proposal) -> Granted:
        """Raises MalformedDataSet for what cannot be read."""
        try:
            read = A_ASSOCIATE_AC()
            read.decode(pdu)
            primitive = read.to_primitive()
            items = list(primitive.user_information)
            results = list(primitive.presentation_context_definition_results_list)
        except Exception as error:
            raise MalformedDataSet(f"the association's acceptance cannot be read ({type(error).__name__})") from error
        granted = {
            str(one.sop_class_uid): (bool(one.scu_role), bool(one.scp_role))
            for one in items
            if isinstance(one, SCP_SCU_RoleSelectionNegotiation)
        }
        contexts = {}
        for one in results:
            number = int(one.context_id)
            if one.result != _ACCEPTED or not number % 2 or number // 2 >= len(proposal.contexts):
                continue
            abstract_syntax = str(proposal.contexts[number // 2][0])
            # Without an answer the roles are the default ones, whatever was proposed (PS3.7 D.3.3.4).
            is_scu, is_scp = granted.get(abstract_syntax, (True, False))
            syntax = str(one.transfer_syntax[0]) if one.transfer_syntax else ""
            contexts[number] = PresentationContext(number, abstract_syntax, syntax, is_scu, is_scp)
        window = _first(items, AsynchronousOperationsWindowNegotiation)
        length = _first(items, MaximumLengthNotification)
        return cls(
            contexts,
            int(length.maximum_length_received or 0) if length else 0,
            {
                str(one.sop_class_uid): bytes(one.service_class_application_information or b"")
                for one in items
                if isinstance(one, SOPClassExtendedNegotiation)
            },
            (1, int(window.maximum_number_operations_invoked)) if window else (1, 1),
        )


def _first(items: list[Any], kind: type) -> Any:
    return next((one for one in items if isinstance(one, kind)), None)


def _text(item: Any, name: str) -> str:
    return str(getattr(item, name) or "") if item is not None else ""


def _item(number: int, abstract_syntax: str, transfer_syntax: str, result: int) -> PresentationContextItem:
    one = PresentationContextItem()
    one.context_id = number
    one.abstract_syntax = abstract_syntax
    one.transfer_syntax = [transfer_syntax]
    one.result = result
    return one


def _own_items(pdu_bytes_max: int, window: tuple[int, int] | None) -> list[Any]:
    length = MaximumLengthNotification()
    length.maximum_length_received = pdu_bytes_max
    uid = ImplementationClassUIDNotification()
    uid.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    items: list[Any] = [length, uid, version]
    if window is not None:
        one = AsynchronousOperationsWindowNegotiation()
        one.maximum_number_operations_invoked, one.maximum_number_operations_performed = window
        items.append(one)
    return items


def _role(sop_class_uid: str, scu: bool, scp: bool) -> SCP_SCU_RoleSelectionNegotiation:
    one = SCP_SCU_RoleSelectionNegotiation()
    one.sop_class_uid = sop_class_uid
    one.scu_role, one.scp_role = scu, scp
    return one


def _extended(sop_class_uid: str, value: bytes) -> SOPClassExtendedNegotiation:
    one = SOPClassExtendedNegotiation()
    one.sop_class_uid = sop_class_uid
    one.service_class_application_information = value
    return one
