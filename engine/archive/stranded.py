"""What waits in the outbox for peers that the settings no longer have: nobody sends it, so somebody has to be told."""

from __future__ import annotations

from collections.abc import Collection

from engine.archive.archive import Archive
from engine.archive.outbox_records import PeerSummary


def stranded(archive: Archive, called: Collection[str]) -> list[PeerSummary]:
    """Of each peer that is none of `called`, and that something waits for; reads every entry. Raises OutboxDamaged."""
    outbox = archive.outbox.existing()
    return [] if outbox is None else [one for one in outbox.peers() if one.instances and one.peer not in called]
