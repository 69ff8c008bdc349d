"""`voxcast serve`: the server until SIGTERM or SIGINT, in a process that forgets the command line's libraries."""

from __future__ import annotations

import os
import sys

from engine.errors import InvalidParameter
from engine.settings import Settings


def run(settings: Settings) -> int:
    """Checks, then becomes the supervisor: the process lives for years and need not hold typer and its models (19 MB)."""
    if settings.http == settings.dicom == settings.dicom_tls.listen == "off":
        raise InvalidParameter("http", "off", "at least one front end: --http or --dicom must not be off")
    sys.stdout.flush()
    sys.stderr.flush()
    # Not as an argument: everyone on this machine reads those, and they have their length.
    handed = os.memfd_create("settings", 0)
    with os.fdopen(os.dup(handed), "w", encoding="utf_8") as file:
        file.write(settings.to_json())
    os.lseek(handed, 0, os.SEEK_SET)
    os.set_inheritable(handed, True)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "engine.server.supervisor", str(handed)])
