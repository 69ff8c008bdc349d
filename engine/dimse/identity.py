"""User identity negotiation: who the requestor acts for, checked against the users of the settings (PS3.7 D.3.3.7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.dimse.access import Caller
from engine.dimse.negotiation import NOT_ALLOWED, Rejection, UserIdentity
from engine.settings import Settings
from engine.users import check_password

NAME, NAME_AND_PASSCODE = 1, 2
_NO_VERIFIER = {
    3: "a Kerberos ticket",
    4: "a SAML assertion",
    5: "a JSON web token",
}


@dataclass(frozen=True, slots=True)
class Identified:
    """What came of it.

    Attributes
    ----------
    user : name of the user; empty where nobody asked, or nothing was said.
    response : of the positive response; None for none.
    """

    caller: Caller
    user: str = ""
    response: bytes | None = None


def identify(claimed: UserIdentity | None, caller: Caller, settings: Settings) -> Identified | Rejection:
    """Check what the caller claims. Takes a tenth of a second for a passcode.

    Without users in the settings a claim is noted nowhere and not answered, as by who does not know this negotiation.
    """
    if not settings.users:
        return Identified(caller)
    if claimed is None:
        if caller.needs_user or settings.user_identity == "required":
            return replace(NOT_ALLOWED, why="it did not say for which user")
        return Identified(caller)
    if claimed.type not in (NAME, NAME_AND_PASSCODE):
        what = _NO_VERIFIER.get(claimed.type, f"an identity of type {claimed.type}")
        return replace(NOT_ALLOWED, why=f"it shows {what}, and there is nothing to verify that with")
    name = claimed.primary.decode("utf_8", "replace")
    user = next((one for one in settings.users if one.name == name), None)
    if claimed.type == NAME_AND_PASSCODE:
        if not check_password(claimed.secondary, user):
            # The name is not said where nobody has it: people type their password there.
            who = "somebody who is no user" if user is None else f"the user {user.name}"
            return replace(NOT_ALLOWED, why=f"the passcode is not that of {who}")
    elif user is None:
        return replace(NOT_ALLOWED, why="it named somebody who is no user")
    elif user.password:
        return replace(NOT_ALLOWED, why=f"it named the user {user.name} without a passcode")
    assert user is not None
    permissions = tuple(one for one in caller.permissions if one in user.permissions)
    if not permissions:
        return replace(NOT_ALLOWED, why=f"the user {user.name} may ask nothing of us as this caller")
    response = b"" if claimed.wants_response else None  # types 1 and 2: the item alone (PS3.7 D.3.3.7.2)
    return Identified(replace(caller, permissions=permissions), user.name, response)
