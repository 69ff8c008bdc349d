"""The audit trail of an archive: who removed what, one JSON line each, on stable storage before the answer."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from engine.archive.segment_writer import sync_folder


class AuditTrail:
    """``audit.jsonl`` in the archive's folder; many processes append, nobody ever rewrites. Thread-safe.

    Parameters
    ----------
    folder : of the archive; None for one in memory, whose trail is not kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else folder / "audit.jsonl"

    def write(self, action: str, peer: str, request_id: str, **what: str | int) -> None:
        """Append one line and wait for the disk.

        Parameters
        ----------
        action : "delete", …
        what : UIDs and counts; never a name or patient ID.

        Raises
        ------
        OSError : it could not be written; what was to be noted must not be done then.
        """
        if self.path is None:
            return
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "action": action,
            "peer": peer,
            "request": request_id,
        }
        is_new = not self.path.exists()
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            # One write of a short line: appends of several processes do not mix (O_APPEND).
            os.write(fd, json.dumps(line | what, separators=(",", ":")).encode() + b"\n")
            os.fdatasync(fd)
        finally:
            os.close(fd)
        if is_new:
            sync_folder(self.path.parent)
