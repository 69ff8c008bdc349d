"""`voxcast echo`: whether another Application Entity is there and takes us, and if not, how far it came."""

from __future__ import annotations

from pathlib import Path

from engine.cli.terminal import DONE, FAILED, Terminal
from engine.dimse.echo import echo
from engine.errors import InvalidParameter, PeerUnavailable
from engine.peers import Peer, peer_named
from engine.setting_values import ae_title, endpoint
from engine.settings import Settings

EXIT_CODES = {"connect": 3, "tls": 4, "reject": 5, "context": 6, "answer": 7}
_EXPECTED = "the name of a [peers.NAME] table, or AET@HOST:PORT"


def run(settings: Settings, who: str, tls: bool, ca: Path | None, certificate: Path | None, key: Path | None,
        terminal: Terminal) -> int:  # fmt: skip
    peer = _peer(settings, who, tls, ca, certificate, key)
    where = f"{peer.aet}@{peer.host}:{peer.port}"
    record: dict[str, object] = {
        "peer": peer.name,
        "aet": peer.aet,
        "host": peer.host,
        "port": peer.port,
        "tls": peer.tls == "on",
    }
    try:
        done = echo(peer, settings)
    except PeerUnavailable as error:
        terminal.result(record | {"ok": False, "step": error.step, "reason": error.why})
        terminal.say(f"voxcast: {error}")
        return EXIT_CODES.get(error.step, FAILED)
    timing = {"association_ms": round(1000 * done.association_s, 1), "answer_ms": round(1000 * done.answer_s, 1)}
    terminal.result(
        record | {"ok": True} | timing,
        f"{where} answers: associated in {timing['association_ms']} ms, echo in {timing['answer_ms']} ms",
    )
    return DONE


def _peer(settings: Settings, who: str, tls: bool, ca: Path | None, certificate: Path | None, key: Path | None) -> Peer:
    known = peer_named(settings.peers, who)
    if known is not None:
        if tls or ca or certificate or key:
            raise InvalidParameter("--tls", who, f"no option of TLS: the settings of the peer {who} have them")
        return known
    title, at, address = who.rpartition("@")
    try:
        where = endpoint(address) if at else None
        if where is None or not 1 <= where[1] <= 65535:
            raise ValueError
        aet = ae_title(title)
    except ValueError:
        names = ", ".join(one.name for one in settings.peers)
        raise InvalidParameter("PEER", who, _EXPECTED + (f"; the peers are {names}" if names else "")) from None
    return Peer(
        name="called", aet=aet, host=where[0], port=where[1], tls="on" if tls else "off", tls_ca=ca,
        tls_certificate=certificate, tls_key=key,
    )  # fmt: skip
