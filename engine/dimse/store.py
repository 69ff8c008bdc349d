"""C-STORE: the data set's bytes as they came, behind File Meta Information of ours, into the one accept path (PS3.4 annex B)."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from engine.dicom.part10 import file_meta
from engine.dicom.scanned import ScannedInstance
from engine.dimse.status import SUCCESS, status_of
from engine.errors import EngineError, MalformedDataSet
from engine.ingest.accept import Acceptor
from engine.types import Source

_LOG = logging.getLogger(__name__)
_COMMIT_DEADLINE_S = 60.0


def handle_store(event: Any, acceptor: Acceptor) -> int:
    """The status of one C-STORE request; success only when the instance is on stable storage. Association's thread."""
    request = event.request
    sop_instance_uid = str(request.AffectedSOPInstanceUID or "")
    peer = str(event.assoc.requestor.ae_title).strip()

    def same_instance(scanned: ScannedInstance) -> None:
        if sop_instance_uid and scanned.sop_instance_uid != sop_instance_uid:
            raise MalformedDataSet("the data set has another SOP Instance UID than the C-STORE request")

    # Never `event.dataset`: that would decode and encode again what must be kept as it came.
    meta = file_meta(
        sop_class_uid=str(request.AffectedSOPClassUID or ""),
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=str(event.context.transfer_syntax),
        source_ae_title=peer,
    )
    try:
        content = meta + request.DataSet.getvalue()
        acceptor.submit(content, Source("c-store", peer), same_instance).result(_COMMIT_DEADLINE_S)
    except EngineError as error:
        _LOG.warning("instance %s from %s was refused: %s", sop_instance_uid, peer, error)
        return status_of(error)
    except (FutureTimeout, CancelledError, OSError) as error:
        _LOG.error("instance %s from %s could not be stored: %r", sop_instance_uid, peer, error)
        return status_of(error)
    return SUCCESS
