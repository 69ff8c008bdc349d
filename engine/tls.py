"""TLS for who listens and for who calls, and what a certificate proves (PS3.15 B.10, B.12, B.13; BCP 195: RFC 8996, RFC 9325)."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import InvalidParameter
from engine.peers import Peer
from engine.tls_settings import DicomTls

_EPHEMERAL = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
# Of TLS 1.2; the suites of TLS 1.3 are all fit for each. Strongest first.
_SUITES = {
    "bcp195": _EPHEMERAL,  # B.12; RFC 9325 4.2
    "bcp195-modified": (  # B.13
        *_EPHEMERAL[:2],
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-CCM",
        *_EPHEMERAL[2:],
        "ECDHE-ECDSA-AES128-CCM",
    ),
    "bcp195-non-downgrading": (*_EPHEMERAL, "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES128-GCM-SHA256"),  # B.10
}
_SECURITY_LEVEL = "@SECLEVEL=2"  # of OpenSSL: RSA and DH of 2048 bits, elliptic curves of 224, no SHA-1


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the other side has shown, and proven to hold the key of.

    Attributes
    ----------
    names : common name and subject alternative names, in lower case.
    fingerprint : SHA-256 of the certificate, hexadecimal.
    """

    names: frozenset[str]
    fingerprint: str

    def has_one_of(self, wanted: Iterable[str]) -> bool:
        """Whether a name, or a fingerprint such as ``sha256:4f…`` (colons do not matter), is this certificate's."""
        for one in wanted:
            name = one.strip().lower()
            if name.startswith("sha256:"):
                if name.removeprefix("sha256:").replace(":", "") == self.fingerprint:
                    return True
            elif name in self.names:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Secured:
    """One connection with TLS; `certificate` is None where the other side has shown none."""

    version: str
    cipher: str
    certificate: Certificate | None


def secured(connection: ssl.SSLSocket) -> Secured:
    """Of a connection whose handshake is done."""
    cipher = connection.cipher()
    raw = connection.getpeercert(binary_form=True)
    shown = connection.getpeercert()
    certificate = None
    if raw and shown:  # without verification Python gives the bytes, and no names: that proves nothing
        certificate = Certificate(frozenset(_names(shown)), hashlib.sha256(raw).hexdigest())
    return Secured(connection.version() or "", cipher[0] if cipher else "", certificate)


def _names(shown: Any) -> Iterator[str]:
    """As `SSLSocket.getpeercert` has them: the subject as lists of pairs in a list, the alternative names as pairs."""
    for relative in shown.get("subject", ()):
        yield from (value.lower() for key, value in relative if key == "commonName")
    yield from (value.lower() for _, value in shown.get("subjectAltName", ()) if isinstance(value, str))


def server_context(settings: DicomTls) -> ssl.SSLContext:
    """For callers.

    Raises
    ------
    InvalidParameter : a file that cannot be read, or is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context, settings.profile)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # associations are long, and nobody resumes one
    _load_certificate(context, settings.certificate, settings.key, "dicom_tls")
    if settings.clients != "off":
        _load_ca(context, settings.ca, "dicom_tls.ca")
        is_needed = settings.clients == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_needed else ssl.CERT_OPTIONAL
    return context


@lru_cache(maxsize=256)  # reading the certificates that a system trusts takes 30 ms
def client_context(peer: Peer, profile: str) -> ssl.SSLContext:
    """For calling `peer`.

    Raises
    ------
    InvalidParameter : a file that cannot be read, or is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, profile)
    context.check_hostname = peer.tls_verify_host
    if peer.tls_ca is None:
        context.load_default_certs()
    else:
        _load_ca(context, peer.tls_ca, f"peers.{peer.name}.tls_ca")
    if peer.tls_certificate is not None:
        _load_certificate(context, peer.tls_certificate, peer.tls_key, f"peers.{peer.name}")
    return context


def _harden(context: ssl.SSLContext, profile: str) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(_SUITES[profile]) + ":" + _SECURITY_LEVEL)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_certificate(context: ssl.SSLContext, certificate: Path | None, key: Path | None, where: str) -> None:
    assert certificate is not None
    try:
        # A password would be asked for on the terminal, which a server has not: it is told an empty one instead.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        paths = str(certificate) if key is None else f"{certificate}, {key}"
        raise InvalidParameter(
            f"{where}.certificate", paths, f"a certificate and its key, in PEM, without a password ({error})"
        ) from None


def _load_ca(context: ssl.SSLContext, ca: Path | None, where: str) -> None:
    try:
        context.load_verify_locations(cafile=None if ca is None else str(ca))
    except (OSError, TypeError) as error:
        raise InvalidParameter(where, str(ca), f"certificates in PEM ({error})") from None
