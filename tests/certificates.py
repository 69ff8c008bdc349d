"""Certificates made while a test runs, by the openssl command: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


def _openssl(*arguments: str | Path) -> str:
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate and its key are."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 as openssl prints it: ``4F:A0:…``."""
        return _openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]


class Authority:
    """Signs certificates in `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self.name = folder, name
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        folder.mkdir(parents=True, exist_ok=True)
        _openssl("req", "-x509", *_NEW_KEY, self.key, "-out", self.certificate, "-days", "30", "-subj", f"/CN={name}",
                 "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip

    def issue(self, name: str, alternative: str = "", days: int = 30) -> Issued:
        """`alternative`: such as ``IP:127.0.0.1,DNS:localhost``; negative `days` make one that has expired."""
        stem = f"{self.name}-{name}"
        key, request, certificate = (self._folder / f"{stem}.{kind}" for kind in ("key", "csr", "pem"))
        extensions = self._folder / f"{stem}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "basicConstraints=CA:FALSE\n")
        _openssl("req", "-new", *_NEW_KEY, key, "-out", request, "-subj", f"/O=Tests/CN={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                 "-days", str(days), "-extfile", extensions, "-out", certificate)  # fmt: skip
        return Issued(certificate, key)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
