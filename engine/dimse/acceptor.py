"""The DICOM front end on a socket that is open already: takes associations, and gives each a thread (PS3.8 chapter 7)."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

from engine.archive.archive import Archive
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.contexts import TABLE
from engine.dimse.find import agree
from engine.dimse.lobby import Lobby
from engine.dimse.negotiation import APPLICATION_CONTEXT, BUSY, UNKNOWN_APPLICATION, Rejection, Request, Terms, settle
from engine.dimse.services import Services, serve
from engine.dimse.store import StoreIntake
from engine.dimse.transport import Transport, abort_pdu
from engine.errors import MalformedDataSet
from engine.ingest.accept import Acceptor
from engine.settings import Settings

_LOG = logging.getLogger(__name__)
_PROVIDER, _INVALID = 2, 6
_CLOSE_S = 5.0


class DicomAcceptor:
    """Accepts associations on `listener` until `close`; their threads call `acceptor` and search `archive`."""

    def __init__(self, listener: socket.socket, settings: Settings, acceptor: Acceptor, archive: Archive) -> None:
        self._settings, self._limits = settings, settings.limits
        self._services = Services(archive, acceptor, settings)
        self._intake = StoreIntake(acceptor)
        self._associations: set[Association] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._lobby = Lobby(listener, self._limits, self._enter)

    def close(self) -> None:
        """Stop accepting, end what is still associated."""
        self._lobby.close()
        with self._lock:
            associations, threads = list(self._associations), list(self._threads)
        for association in associations:
            association.shut()
        deadline = time.monotonic() + _CLOSE_S
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _enter(self, connection: socket.socket, address: tuple[str, int], pdu: bytes, more: bytes) -> None:
        """An association request has come: on the lobby's thread, which must not wait."""
        with self._lock:
            # One more than there may be is answered by a thread too, and no more than a few of those at once.
            if len(self._threads) >= 2 * self._limits.associations_max:
                connection.close()
                return
            thread = threading.Thread(
                target=self._associate,
                args=(connection, address, pdu, more),
                name=f"association {address[0]}",
                daemon=True,
            )
            self._threads.add(thread)
        thread.start()

    def _associate(self, connection: socket.socket, address: tuple[str, int], pdu: bytes, more: bytes) -> None:
        transport = Transport(connection, self._limits, self._limits.association_idle_s_max)
        try:
            association = self._negotiate(transport, address, pdu)
            if association is not None:
                transport.feed(more)
                self._converse(association)
        except OSError as error:
            _LOG.info("association request from %s could not be answered (%s)", address[0], error)
        finally:
            transport.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _negotiate(self, transport: Transport, address: tuple[str, int], pdu: bytes) -> Association | None:
        try:
            asked = Request.parse(pdu)
        except MalformedDataSet as error:
            _LOG.warning("association from %s is aborted: %s", address[0], error)
            transport.send_pdu(abort_pdu(_PROVIDER, _INVALID))
            return None
        rejection, terms = self._judge(asked)
        if rejection is not None:
            _LOG.warning("association of %s from %s is rejected: %s", asked.calling, address[0], rejection.why)
            transport.send_pdu(rejection.pdu())
            transport.wait_closed(_CLOSE_S)
            return None
        transport.peer_pdu_bytes_max = asked.pdu_bytes_max
        association = Association(
            transport=transport,
            peer=asked.calling,
            called=asked.called,
            address=address[0],
            contexts=terms.contexts,
            idle_s=self._limits.association_idle_s_max,
            extended=terms.extended,
            window=terms.window or (1, 1),
            intake=self._intake,
        )
        transport.send_pdu(terms.pdu(asked, self._limits.pdu_bytes_max))
        return association

    def _judge(self, asked: Request) -> tuple[Rejection | None, Terms]:
        terms = settle(asked, TABLE, window_max=self._limits.operations_max, agree=agree)
        with self._lock:
            is_busy = len(self._associations) >= self._limits.associations_max
        if is_busy:
            return BUSY, terms
        if asked.application_context != APPLICATION_CONTEXT:
            return UNKNOWN_APPLICATION, terms
        return None, terms

    def _converse(self, association: Association) -> None:
        with self._lock:
            self._associations.add(association)
        ended = "released"
        try:
            while (message := association.receive()) is not None:
                serve(association, message, self._services)
        except AssociationEnded as error:
            ended = error.reason
        except Exception:  # noqa: BLE001 - ours; it costs this association, and the others notice nothing
            _LOG.exception("association of %s from %s is aborted", association.peer, association.address)
            ended = "our fault"
            with contextlib.suppress(AssociationEnded):
                association.abort()
        finally:
            with self._lock:
                self._associations.discard(association)
            _LOG.info(
                "association of %s from %s: %s; %s", association.peer, association.address, association.summary(), ended
            )
