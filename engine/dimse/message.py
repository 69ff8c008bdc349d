"""One message of an association, the presentation context that it came in, and who takes its data set in (PS3.7 6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.dimse.command import Command
from engine.types import Buffer

if TYPE_CHECKING:
    from engine.dimse.association import Association


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """One that was accepted.

    Attributes
    ----------
    is_scu, is_scp : the roles that we have in it.
    """

    id: int
    abstract_syntax: str
    transfer_syntax: str
    is_scu: bool = False
    is_scp: bool = True


class Spool(Protocol):
    """Where a data set that is too large for memory goes."""

    def write(self, piece: Buffer) -> None: ...
    def abort(self) -> None: ...


class Intake(Protocol):
    """What takes the data sets of C-STORE requests in."""

    def prefix(self, association: Association, context: PresentationContext, command: Command) -> bytes:
        """File Meta Information: stands before the data set in the same memory, so that nothing is copied."""
        ...

    def open_spool(self, association: Association) -> Spool: ...


@dataclass(slots=True)
class Message:
    """One whole message.

    Attributes
    ----------
    data : the data set as it came, behind the intake's prefix if it is a C-STORE's; None without one.
    spool : has the data set instead of `data` when it was too large for memory.
    error : kept the data set from being taken; the peer gets to know by the status.
    """

    context: PresentationContext
    command: Command
    data: memoryview | None = None
    spool: Spool | None = None
    error: Exception | None = None
