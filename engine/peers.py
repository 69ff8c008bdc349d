"""The other Application Entities that we know: where they are, who they prove to be, what they may ask of us (PS3.8, PS3.15)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine import setting_values as kinds
from engine.errors import InvalidParameter
from engine.peer_metrics import OTHER
from engine.setting_values import needed, setting

PERMISSIONS = ("echo", "store", "find", "move", "get", "commit", "worklist", "mpps")
_TLS = ("off", "on")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORDS = "a list of " + ", ".join(PERMISSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One ``[peers.NAME]`` table. Field metadata: what it means (`doc`), what it takes (`expected`).

    Attributes
    ----------
    name : of the table; what people call it here.
    """

    name: str
    aet: str = needed(
        "its AE title: what it calls itself, and what we call it",
        "1 to 16 printable ASCII characters",
        kinds.ae_title,
    )
    host: str = setting("", "where we reach it; without one it only calls us", "a host name or an address", kinds.host)
    port: int = setting(104, "its port", "a number from 1 to 65535", kinds.number(1, 65535))
    calling_aet: str = setting(
        "",
        "what we call ourselves to it, where that is not our own AE title",
        "1 to 16 printable ASCII characters",
        kinds.ae_title,
    )
    addresses: tuple[str, ...] = setting(
        (),
        "it is believed only from here; from anywhere where the list is empty",
        'a list of addresses or networks such as "10.1.0.0/16"',
        kinds.network_list,
    )
    permissions: tuple[str, ...] = setting(PERMISSIONS, "what it may ask of us", _WORDS, kinds.some_of(*PERMISSIONS))
    tls: str = setting(
        "off",
        "on: we call it with TLS, and it must call us with TLS (PS3.15 B.12)",
        "off or on",
        kinds.choice(*_TLS),
    )
    tls_ca: Path | None = setting(  # noqa: RUF009 - it is a field
        None,
        "certificates that sign its certificate (PEM); without them those that the system trusts",
        "a path",
        kinds.path,
    )
    tls_certificate: Path | None = setting(  # noqa: RUF009 - it is a field
        None,
        "our certificate when we call it (PEM), where it wants one",
        "a path",
        kinds.path,
    )
    tls_key: Path | None = setting(  # noqa: RUF009 - it is a field
        None,
        "the key of our certificate (PEM), where it is not in the same file",
        "a path",
        kinds.path,
    )
    tls_verify_host: bool = setting(
        True,
        "when we call it, its certificate must name its host; false for those that name their AE title",
        "true or false",
        kinds.flag,
    )
    tls_client_certificate: bool = setting(
        False,
        "it must show a certificate when it calls us",
        "true or false",
        kinds.flag,
    )
    tls_names: tuple[str, ...] = setting(
        (),
        "its certificate must have one of these to be believed as this AE title; any signed one does where the list is empty",
        'a list of names (subject or alternative) or fingerprints such as "sha256:4f…"',
        kinds.texts,
    )
    needs_user: bool = setting(
        False,
        "it must say for which of the users it acts, whatever user_identity of the settings is",
        "true or false",
        kinds.flag,
    )
    associations_max: int = setting(
        0,
        "associations that it may have with us at once; 0 is limits.caller_associations_max",
        "a number from 0 to 10000",
        kinds.number(0, 10_000),
    )
    send_associations_max: int = setting(
        1,
        "associations at once over which we send to it",
        "a number from 1 to 64",
        kinds.number(1, 64),
    )
    pdu_bytes_max: int = setting(
        0,
        "largest PDU offered to it; 0 is limits.pdu_bytes_max",
        "a number from 0 to 1073741824",
        kinds.number(0, 1 << 30),
    )
    idle_s_max: int = setting(
        0,
        "seconds without a message before an association with it is aborted; 0 is limits.association_idle_s_max",
        "a number from 0 to 86400",
        kinds.number(0, 86_400),
    )
    total_s_max: int = setting(
        0,
        "seconds from its beginning after which an association with it is aborted; 0 is limits.association_total_s_max",
        "a number from 0 to 31536000",
        kinds.number(0, 31_536_000),
    )
    transcode: bool = setting(
        True,
        "what it cannot take as it is stored is converted for it, without a loss; false: that is an error",
        "true or false",
        kinds.flag,
    )

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == OTHER:
            raise InvalidParameter("name", self.name, f"1 to 64 letters, digits, _ and -, and not {OTHER}")
        if self.tls_key is not None and self.tls_certificate is None:
            raise InvalidParameter("tls_key", str(self.tls_key), "tls_certificate beside it")
        if self.tls_client_certificate and self.tls == "off":
            raise InvalidParameter("tls_client_certificate", "true", 'tls = "on" beside it')
        if self.tls_names and self.tls == "off":
            raise InvalidParameter("tls_names", ", ".join(self.tls_names), 'tls = "on" beside it')

    @property
    def is_reachable(self) -> bool:
        """Whether we know where to call it."""
        return bool(self.host)

    def may(self, permission: str) -> bool:
        """Whether it may ask for this, one of `PERMISSIONS`."""
        return permission in self.permissions

    def calls_from(self, address: str) -> bool:
        """Whether a connection from this IP address may be it."""
        if not self.addresses:
            return True
        there = ipaddress.ip_address(address)
        if isinstance(there, ipaddress.IPv6Address) and there.ipv4_mapped is not None:
            there = there.ipv4_mapped  # as a socket for both families gives it
        return any(there in ipaddress.ip_network(one) for one in self.addresses)


def peer_named(peers: Iterable[Peer], name: str) -> Peer | None:
    return next((one for one in peers if one.name == name), None)


def peer_titled(peers: Iterable[Peer], aet: str) -> Peer | None:
    """The peer with this AE title; they are unique, for a C-MOVE names its destination by it."""
    return next((one for one in peers if one.aet == aet.strip(" ")), None)


def check_peers(peers: Iterable[Peer]) -> None:
    """`InvalidParameter` when two have the same AE title."""
    seen: dict[str, str] = {}
    for one in peers:
        if one.aet in seen:
            raise InvalidParameter(
                f"peers.{one.name}.aet", one.aet, f"an AE title of its own: peers.{seen[one.aet]} has it"
            )
        seen[one.aet] = one.name
