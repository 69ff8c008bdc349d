"""The second address of the DICOM front end, where callers come with TLS: ``[dicom_tls]`` of the settings (PS3.15 B.9 to B.13)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import setting_values as kinds
from engine.errors import InvalidParameter
from engine.setting_values import setting

PROFILES = ("bcp195", "bcp195-modified", "bcp195-non-downgrading")
_CLIENTS = ("required", "optional", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomTls:
    """Field metadata: what it means (`doc`), what it takes (`expected`)."""

    listen: str = setting(
        "off",
        "where the DICOM front end listens with TLS; the port of PS3.15 is 2762",
        "host:port such as 0.0.0.0:2762, or off",
        kinds.endpoint_text,
    )
    certificate: Path | None = setting(  # noqa: RUF009 - it is a field
        None, "our certificate, with those between it and the one that peers trust (PEM)", "a path", kinds.path
    )
    key: Path | None = setting(  # noqa: RUF009 - it is a field
        None,
        "the key of our certificate (PEM, without a password), where it is not in the same file",
        "a path",
        kinds.path,
    )
    ca: Path | None = setting(  # noqa: RUF009 - it is a field
        None, "certificates that sign those of callers (PEM)", "a path", kinds.path
    )
    clients: str = setting(
        "required",
        "whether callers show a certificate; optional: those peers do whose tls_client_certificate or tls_names want one",
        ", ".join(_CLIENTS[:-1]) + " or " + _CLIENTS[-1],
        kinds.choice(*_CLIENTS),
    )
    profile: str = setting(
        "bcp195",
        "secure transport connection profile of PS3.15, when we are called and when we call; none has less than TLS 1.2",
        ", ".join(PROFILES[:-1]) + " or " + PROFILES[-1],
        kinds.choice(*PROFILES),
    )

    def __post_init__(self) -> None:
        if self.listen == "off":
            return
        if self.certificate is None:
            raise InvalidParameter("certificate", "", "a path: it is needed where listen is not off")
        if self.clients != "off" and self.ca is None:
            raise InvalidParameter("ca", "", f'a path: it is needed with clients = "{self.clients}"')
