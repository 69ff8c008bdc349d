"""Associations that we ask for: connect, propose, read the answer (PS3.8 7.1, 9.2)."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence

from engine.dimse.association import Association, Intake
from engine.dimse.negotiation import ASSOCIATE_AC, ASSOCIATE_RJ, Granted, Proposal
from engine.dimse.transport import Event, Transport
from engine.errors import MalformedDataSet, PeerUnavailable
from engine.limits import Limits
from engine.tls import secured

_ANSWER_S = 30.0
_REJECTED_FOR_NOW = 2
_WHY = {
    (1, 2): "it does not take DICOM's application context",
    (1, 3): "it does not know our AE title",
    (1, 7): "it does not know the AE title that we called",
    (2, 2): "it does not speak our version of the protocol",
    (3, 1): "it is congested",
    (3, 2): "it has as many associations as it takes",
}


def associate(
    address: tuple[str, int],
    proposal: Proposal,
    *,
    calling: str,
    called: str,
    limits: Limits,
    tls: ssl.SSLContext | None = None,
    tls_names: Sequence[str] = (),
    intake: Intake | None = None,
) -> Association:
    """An established association, for the calling thread alone; it ends it with `release` or `abort`.

    With `tls_names` the certificate of the other side must have one of them (`engine.tls.Certificate.has_one_of`).

    Raises
    ------
    PeerUnavailable : cannot be reached, does not answer, or rejects; says which.
    """
    name = f"{called} at {address[0]}:{address[1]}"
    try:
        connection = socket.create_connection(address, limits.peer_connect_s_max)
    except OSError as error:
        raise PeerUnavailable(name, f"cannot be reached ({error})", "connect") from error
    try:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_hostname=address[0])
    except (OSError, ValueError) as error:
        connection.close()
        raise PeerUnavailable(name, f"TLS failed ({error})", "tls") from error
    if isinstance(connection, ssl.SSLSocket) and tls_names:
        shown = secured(connection).certificate
        if shown is None or not shown.has_one_of(tls_names):
            connection.close()
            raise PeerUnavailable(name, "TLS failed (it shows a certificate of somebody else)", "tls")
    transport = Transport(connection, limits, limits.association_idle_s_max)
    try:
        transport.send_pdu(proposal.pdu(calling, called, limits.pdu_bytes_max))
        granted = _answer(transport, proposal, name, tls is not None)
    except BaseException as error:
        transport.close()
        if isinstance(error, OSError):
            raise PeerUnavailable(
                name, f"broke the connection ({error})", "answer" if tls is None else "tls"
            ) from error
        raise
    transport.peer_pdu_bytes_max = granted.pdu_bytes_max
    return Association(
        transport=transport,
        peer=called,
        called=called,
        address=address[0],
        contexts=granted.contexts,
        idle_s=limits.association_idle_s_max,
        is_requestor=True,
        extended=granted.extended,
        window=granted.window,
        intake=intake,
    )


def _answer(transport: Transport, proposal: Proposal, name: str, is_tls: bool) -> Granted:
    event = transport.receive(_ANSWER_S)
    if event is not Event.PDU:
        why = {Event.TIMEOUT: "does not answer", Event.CLOSED: "closed the connection"}.get(
            event, "does not speak DICOM"
        )
        if is_tls and event is Event.CLOSED:
            # With TLS 1.3 the other side looks at our certificate when the handshake is over for us.
            raise PeerUnavailable(
                name, "closed the connection behind the TLS handshake: it may want another certificate", "tls"
            )
        raise PeerUnavailable(name, why)
    kind = transport.reader.pdu_type
    body = transport.reader.take_pdu()
    if kind == ASSOCIATE_RJ:
        result, source, reason = bytes(body[1:4].ljust(3, b"\0"))
        why = _WHY.get((source, reason), "without saying why")
        for_now = " for now" if result == _REJECTED_FOR_NOW else ""
        raise PeerUnavailable(name, f"rejects the association{for_now}: {why}", "reject")
    if kind != ASSOCIATE_AC:
        raise PeerUnavailable(name, f"answers the association request with a PDU of type {kind}")
    try:
        return Granted.parse(bytes([kind, 0]) + len(body).to_bytes(4, "big") + body, proposal)
    except MalformedDataSet as error:
        with contextlib.suppress(OSError):
            transport.shut()
        raise PeerUnavailable(name, str(error)) from error
