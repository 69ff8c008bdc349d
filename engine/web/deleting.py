"""Deleting studies, series and instances: a management call, which the standard has none for; leaves tombstones and audit lines."""

from __future__ import annotations

import json
import logging

from aiohttp import web

from engine.archive.audit import AuditTrail
from engine.errors import ArchiveReadOnly
from engine.web.client import client_of
from engine.web.services import REQUEST_ID, on, services

_LOG = logging.getLogger(__name__)


async def delete(request: web.Request) -> web.Response:
    """Every version of the instances of a study, a series, or one: gone for every reader when this answers.

    Their bytes are overwritten when the background compacts the segments that hold them.
    """
    s, match = services(request), request.match_info
    client = client_of(request)
    uids = {name: match[name] for name in ("study", "series", "instance") if name in match}

    def work() -> int:
        archive = s.archive
        if "instance" in uids:  # the address has to be right as a whole
            archive.instance(uids["instance"], uids["study"], uids["series"])
        elif "series" in uids:
            archive.series(uids["study"], uids["series"])
        else:
            archive.series_of(uids["study"])
        said = {f"{name}_uid": uid for name, uid in uids.items()}
        trail = AuditTrail(archive.path)
        try:
            # Before it is done: what is gone without a line in the trail could not be accounted for.
            trail.write("delete", client, request[REQUEST_ID], **said)
        except OSError as error:
            raise ArchiveReadOnly(str(archive.path), f"the audit trail cannot be written: {error}") from error
        if "instance" in uids:
            count = archive.delete(sop_uid=uids["instance"])
        else:
            count = archive.delete(study_uid=uids["study"], series_uid=uids.get("series", ""))
        trail.write("deleted", client, request[REQUEST_ID], **said, instances=count)
        return count

    count = await on(request, s.executors.store, "delete", work)
    _LOG.info("request %s deleted %s: %d instances", request[REQUEST_ID], "/".join(uids.values()), count)
    return web.Response(body=json.dumps({"deleted": count}).encode(), content_type="application/json")
