"""The DICOM front end on a socket that is open already: takes associations, and gives each a thread (PS3.8 chapter 7)."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from dataclasses import replace

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.dimse.access import Caller, admit
from engine.dimse.account import RELEASED, Account
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.committer import Committer
from engine.dimse.contexts import table_for
from engine.dimse.identity import Identified, identify
from engine.dimse.lobby import Lobby
from engine.dimse.negotiation import APPLICATION_CONTEXT, BUSY, UNKNOWN_APPLICATION, Rejection, Request, Terms, settle
from engine.dimse.remembered import RememberedRequests
from engine.dimse.services import Services, agree, serve
from engine.dimse.store import StoreIntake
from engine.dimse.transport import Transport, abort_pdu
from engine.errors import MalformedDataSet
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.peer_metrics import OTHER
from engine.peers import peer_titled
from engine.settings import Settings
from engine.tls import Secured, secured, server_context

_LOG = logging.getLogger(__name__)
_USER = 0
_CLOSE_S = 5.0


class DicomAcceptor:
    """Accepts associations on listening sockets, those of `with_tls` with TLS, until `close`.

    Their threads call `acceptor` and search `archive`. Raises InvalidParameter for certificates that cannot be read.
    """

    def __init__(
        self,
        listener: socket.socket | None,
        settings: Settings,
        acceptor: Acceptor,
        archive: Archive,
        metrics: Metrics,
        with_tls: socket.socket | None = None,
        outbox: Outbox | None = None,
        committer: Committer | None = None,
    ) -> None:
        self._metrics = metrics
        self._settings, self._limits = settings, settings.limits
        self._services = Services(archive, acceptor, settings, metrics, outbox, committer)
        self._intake, self._requests = StoreIntake(acceptor), RememberedRequests()
        self._associations: dict[Association, str] = {}  # and by whom, see Caller.account
        self._threads: dict[threading.Thread, str] = {}  # and for which address
        self._lock = threading.Lock()
        tls = server_context(settings.dicom_tls) if with_tls is not None else None
        doors = ((listener, None), (with_tls, tls))
        self._lobbies = [Lobby(one, self._limits, self._enter, context) for one, context in doors if one is not None]

    def close(self) -> None:
        """Stop accepting, end what is still associated."""
        for lobby in self._lobbies:
            lobby.close()
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
            # Who is rejected is answered by a thread too: as many as are accepted, half of them for any one address.
            of_address = sum(one == address[0] for one in self._threads.values())
            if max(len(self._threads) / 2, of_address) >= self._limits.associations_max:
                _LOG.warning("association request from %s is not answered: too many are being answered", address[0])
                connection.close()
                return
            thread = threading.Thread(
                target=self._associate,
                args=(connection, address, pdu, more),
                name=f"association {address[0]}",
                daemon=True,
            )
            self._threads[thread] = address[0]
        thread.start()

    def _associate(self, connection: socket.socket, address: tuple[str, int], pdu: bytes, more: bytes) -> None:
        try:
            self._answer(connection, address[0], pdu, more)
        except OSError as error:
            _LOG.info("association request from %s could not be answered (%s)", address[0], error)
        except Exception:  # noqa: BLE001 - ours; it costs this caller its association, and the others notice nothing
            _LOG.exception("association request from %s could not be answered", address[0])
        finally:
            connection.close()
            with self._lock:
                self._threads.pop(threading.current_thread())

    def _answer(self, connection: socket.socket, address: str, pdu: bytes, more: bytes) -> None:
        """A-ASSOCIATE-AC and all that follows, A-ASSOCIATE-RJ, or A-ABORT."""
        try:
            asked = self._requests.parse(pdu)
        except MalformedDataSet as error:
            _LOG.warning("association from %s is aborted: %s", address, error)
            with contextlib.closing(self._transport(connection, self._limits)) as transport:
                transport.send_pdu(abort_pdu(_USER, 0))
                transport.wait_closed(_CLOSE_S)
            return
        proof = secured(connection) if isinstance(connection, ssl.SSLSocket) else None
        found = self._admit(asked, address, proof)
        limits = self._limits if isinstance(found, Rejection) else found.caller.limits
        with contextlib.closing(self._transport(connection, limits)) as transport:
            if isinstance(found, Rejection):
                self._reject(transport, asked, address, found)
                return
            caller = found.caller
            association, terms = self._settle(transport, asked, address, found)
            with self._lock:
                rejection = self._is_too_many(caller)
                if rejection is None:
                    self._associations[association] = caller.account
            if rejection is not None:
                self._reject(transport, asked, address, rejection)
                return
            tls = "" if proof is None else f"{proof.version} {proof.cipher}"
            association.account = Account(self._metrics, caller.name, tls)
            try:
                self._converse(association, terms.pdu(asked, limits.pdu_bytes_max), more)
            finally:
                with self._lock:
                    self._associations.pop(association)

    def _transport(self, connection: socket.socket, limits: Limits) -> Transport:
        return Transport(connection, limits, limits.association_idle_s_max)

    def _admit(self, asked: Request, address: str, proof: Secured | None) -> Identified | Rejection:
        if asked.application_context != APPLICATION_CONTEXT:
            return UNKNOWN_APPLICATION
        caller = admit(asked, address, self._settings, proof)
        return caller if isinstance(caller, Rejection) else identify(asked.user, caller, self._settings)

    def _is_too_many(self, caller: Caller) -> Rejection | None:
        if len(self._associations) >= self._limits.associations_max:
            return BUSY
        if sum(one == caller.account for one in self._associations.values()) >= caller.associations_max:
            return replace(BUSY, why=f"as many associations as the {caller.account} may have")
        return None

    def _reject(self, transport: Transport, asked: Request, address: str, rejection: Rejection) -> None:
        _LOG.warning("association of %s from %s is rejected: %s", asked.calling, address, rejection.why)
        peer = peer_titled(self._settings.peers, asked.calling)
        self._metrics.add(f"associations:{OTHER if peer is None else peer.name}:rejected")
        transport.send_pdu(rejection.pdu())
        transport.wait_closed(_CLOSE_S)

    def _settle(
        self, transport: Transport, asked: Request, address: str, found: Identified
    ) -> tuple[Association, Terms]:
        caller = found.caller
        terms = settle(
            asked,
            table_for(caller.permissions, self._settings.storage_classes),
            window_max=self._limits.operations_max,
            agree=agree,
            user_response=found.response,
        )
        transport.peer_pdu_bytes_max = asked.pdu_bytes_max
        association = Association(
            transport=transport,
            peer=asked.calling,
            called=asked.called,
            address=address,
            contexts=terms.contexts,
            idle_s=caller.limits.association_idle_s_max,
            total_s=caller.limits.association_total_s_max,
            permissions=caller.permissions,
            user=found.user,
            extended=terms.extended,
            window=terms.window or (1, 1),
            intake=self._intake,
        )
        return association, terms

    def _converse(self, association: Association, acceptance: bytes, more: bytes) -> None:
        ended = RELEASED
        try:
            association.begin(acceptance, more)
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
            assert association.account is not None
            association.account.ended(association, ended)
