"""pynetdicom's association server on a socket that is open already: Verification, Storage and Query (PS3.4 annexes A, B, C)."""

from __future__ import annotations

import socket
import threading
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

from engine.archive.archive import Archive
from engine.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from engine.dimse.contexts import CONTEXTS
from engine.dimse.find import agree, handle_find
from engine.dimse.status import SUCCESS
from engine.dimse.store import handle_store
from engine.ingest.accept import Acceptor
from engine.settings import Settings

_NETWORK_TIMEOUT_S = 30


class DicomAcceptor:
    """Accepts associations on `listener` until `close`; its threads call `acceptor` and search `archive`."""

    def __init__(self, listener: socket.socket, settings: Settings, acceptor: Acceptor, archive: Archive) -> None:
        limits = settings.limits
        ae = AE(settings.aet)
        ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID  # as in the File Meta Information of what it stores
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_associations = limits.associations_max
        ae.maximum_pdu_size = limits.pdu_bytes_max
        ae.network_timeout = limits.association_idle_s_max
        ae.acse_timeout = ae.dimse_timeout = _NETWORK_TIMEOUT_S
        for context in CONTEXTS:
            ae.add_supported_context(context.abstract_syntax, list(context.transfer_syntaxes))
        handlers: list[Any] = [
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, handle_store, [acceptor]),
            (evt.EVT_C_FIND, handle_find, [archive, settings.aet]),
            (evt.EVT_SOP_EXTENDED, agree),
        ]
        self._server = ae.make_server(
            listener.getsockname(),
            evt_handlers=handlers,
            server_class=_InheritedServer,
            listener=listener,
        )
        ae._servers.append(self._server)  # as AE.start_server does; its own shutdown takes it out again
        self._thread = threading.Thread(target=self._server.serve_forever, name="associations", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting, abort what is still associated."""
        self._server.shutdown()
        for assoc in self._server.active_associations:
            assoc.abort()
        self._thread.join(5)


class _InheritedServer(ThreadedAssociationServer):  # type: ignore[misc]
    """pynetdicom's server, which otherwise insists on binding a socket of its own."""

    socket: Any  # of the base class, which leaves its type open

    def __init__(self, *args: Any, listener: socket.socket, **kwargs: Any) -> None:
        self._listener = listener
        super().__init__(*args, **kwargs)

    def server_bind(self) -> None:
        self.socket.close()
        self.socket = self._listener
        self.server_address = self._listener.getsockname()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Without Nagle's algorithm: a response in two PDUs would wait 40 ms for the acknowledgement of the first."""
        connection, peer = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, peer

    def server_activate(self) -> None:
        """It listens already."""
