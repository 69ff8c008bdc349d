"""C-STORE: the data set's bytes as they came, behind File Meta Information of ours, into the one accept path (PS3.4 annex B)."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any

from engine.dicom.part10 import file_meta
from engine.dicom.scanned import ScannedInstance
from engine.dimse.association import Association, Message, PresentationContext, Spool
from engine.dimse.command import Command
from engine.dimse.status import SUCCESS, status_of
from engine.errors import EngineError, MalformedDataSet
from engine.ingest.accept import Accepted, Acceptor, SpoolWriter
from engine.ingest.counting import count
from engine.metrics import Metrics
from engine.types import Source

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
_COMMIT_DEADLINE_S = 60.0


class StoreIntake:
    """Takes data sets of C-STORE requests in; see `engine.dimse.association.Intake`."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor

    def prefix(self, association: Association, context: PresentationContext, command: Command) -> bytes:
        return file_meta(
            sop_class_uid=command.text("AffectedSOPClassUID"),
            sop_instance_uid=command.text("AffectedSOPInstanceUID"),
            transfer_syntax_uid=context.transfer_syntax,
            source_ae_title=association.peer,
        )

    def open_spool(self, association: Association) -> Spool:
        return self._acceptor.open_spool(source_of(association))


def source_of(association: Association) -> Source:
    return Source("c-store", association.peer, association.called)


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer one C-STORE request when the instance is on stable storage; several at once where that was agreed."""
    try:
        future = submit(association, message, services.acceptor)
    except (EngineError, OSError) as error:
        _answer(association, message, services.metrics, None, error)
        return
    if association.window[0] == 1:
        try:
            accepted = future.result(_COMMIT_DEADLINE_S)
        except (EngineError, FutureTimeout, CancelledError, OSError) as error:
            _answer(association, message, services.metrics, None, error)
            return
        _answer(association, message, services.metrics, accepted)
        return

    def answer() -> None:
        error = future.exception()
        _answer(association, message, services.metrics, None if error else future.result(), error)

    future.add_done_callback(lambda _: association.transport.wake())
    association.later(future.done, answer)


def submit(association: Association, message: Message, acceptor: Acceptor) -> Future[Accepted]:
    """Hand the data set of a C-STORE request in.

    Raises
    ------
    EngineError, OSError : what kept it from being taken.
    """
    sop_instance_uid = message.command.text("AffectedSOPInstanceUID")

    def same_instance(scanned: ScannedInstance) -> None:
        if sop_instance_uid and scanned.sop_instance_uid != sop_instance_uid:
            raise MalformedDataSet("the data set has another SOP Instance UID than the C-STORE request")

    if message.error is not None:
        raise message.error
    if message.spool is not None:
        writer: Any = message.spool
        assert isinstance(writer, SpoolWriter)
        message.spool = None
        return writer.finish(same_instance)
    if message.data is None:
        raise MalformedDataSet("the C-STORE request came without a data set")
    return acceptor.submit(message.data, source_of(association), same_instance)


def _answer(
    association: Association,
    message: Message,
    metrics: Metrics,
    accepted: Accepted | None,
    error: BaseException | None = None,
) -> None:
    count(metrics, accepted)
    if error is None:
        association.respond(message, SUCCESS)
        return
    uid, peer = message.command.text("AffectedSOPInstanceUID"), association.peer
    if isinstance(error, EngineError):
        _LOG.warning("instance %s from %s was refused: %s", uid, peer, error)
    else:
        _LOG.error("instance %s from %s could not be stored: %r", uid, peer, error)
    association.respond(message, status_of(error), comment=str(error) if isinstance(error, EngineError) else "")
