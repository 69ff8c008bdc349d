"""Every address, the handler behind it, the permission it needs, and how its requests are counted: one table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.web import (
    bulkdata,
    capabilities,
    changes,
    deleting,
    frame_forms,
    frames,
    health,
    management,
    metadata,
    ohif,
    outbox,
    page,
    provenance,
    qido,
    rendered,
    renditions,
    stow,
    stream,
    thumbnails,
    wado,
    wado_uri,
    worklist,
)
from engine.web.access import Permission
from engine.web.handling import Handler

_ROOT = "/dicom-web"
_STUDY = _ROOT + "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_PACK = "/api/renditions/studies/{study}/series/{series}"
HEALTH, SEARCH, READ, STORE, MANAGE = Permission


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table; `kind` is one of `metrics.KINDS`."""

    method: str
    path: str
    handler: Handler
    permission: Permission
    kind: str


def template(path: str) -> str:
    """``/bulkdata/{path:.+}`` → ``/bulkdata/{path}``."""
    return re.sub(r":[^}]+}", "}", path)


ROUTES: tuple[Route, ...] = (
    # aiohttp tries them in this order, 4 µs each: what a reader who scrolls asks for stands first.
    Route("GET", _INSTANCE + "/frames/{frames}", frames.retrieve_frames, READ, "frame"),
    Route("GET", _INSTANCE + "/frames/{frames}/rendered", rendered.retrieve_rendered_frames, READ, "rendered"),
    Route("GET", _INSTANCE + "/rendered", rendered.retrieve_rendered_instance, READ, "rendered"),
    # The same frames in other forms: cornerstone3D's framesPath
    Route("GET", _INSTANCE + "/htj2k/{frames}", frame_forms.retrieve_htj2k, READ, "frame"),
    Route("GET", _INSTANCE + "/htj2kThumbnail/{frames}", frame_forms.retrieve_htj2k_thumbnail, READ, "frame"),
    Route("GET", _INSTANCE + "/jls/{frames}", frame_forms.retrieve_jls, READ, "frame"),
    Route("GET", _INSTANCE + "/jlsThumbnail/{frames}", frame_forms.retrieve_jls_thumbnail, READ, "frame"),
    Route("GET", _INSTANCE + "/lossy/{frames}", frame_forms.retrieve_lossy, READ, "frame"),
    Route("GET", _INSTANCE + "/thumbnail/{frames}", thumbnails.retrieve_frame_thumbnail, READ, "rendered"),
    Route("GET", _INSTANCE + "/jpip", frame_forms.retrieve_jpip, READ, "frame"),
    Route("GET", "/", page.index, READ, "page"),
    Route("GET", "/viewer", page.index, READ, "page"),
    Route("GET", "/static/{name}", page.static, HEALTH, "page"),
    Route("GET", "/plain/", page.plain_index, READ, "page"),
    Route("GET", "/plain/{name}", page.plain_static, HEALTH, "page"),
    Route("GET", "/ohif", ohif.redirect, READ, "page"),
    Route("GET", "/ohif/{path:.*}", ohif.page, READ, "page"),
    Route("GET", "/healthz", health.alive, HEALTH, "other"),
    Route("GET", "/readyz", health.ready, HEALTH, "other"),
    Route("GET", "/metrics", health.metrics, HEALTH, "other"),
    # What is here (PS3.18 8.9); OPTIONS, which is for every address, is answered by the envelope
    Route("GET", _ROOT, capabilities.retrieve_capabilities, HEALTH, "other"),
    Route("GET", _ROOT + "/", capabilities.retrieve_capabilities, HEALTH, "other"),
    Route("GET", "/api/openapi.json", capabilities.describe, HEALTH, "other"),
    # STOW-RS (PS3.18 10.5)
    Route("POST", _ROOT + "/studies", stow.store_instances, STORE, "store"),
    Route("POST", _STUDY, stow.store_instances, STORE, "store"),
    # QIDO-RS (PS3.18 10.6)
    Route("GET", _ROOT + "/studies", qido.search_for_studies, SEARCH, "search"),
    Route("GET", _ROOT + "/series", qido.search_for_series, SEARCH, "search"),
    Route("GET", _STUDY + "/series", qido.search_for_series, SEARCH, "search"),
    Route("GET", _ROOT + "/instances", qido.search_for_instances, SEARCH, "search"),
    Route("GET", _STUDY + "/instances", qido.search_for_instances, SEARCH, "search"),
    Route("GET", _SERIES + "/instances", qido.search_for_instances, SEARCH, "search"),
    # WADO-RS (PS3.18 10.4)
    Route("GET", _STUDY, wado.retrieve_study, READ, "retrieve"),
    Route("GET", _SERIES, wado.retrieve_series, READ, "retrieve"),
    Route("GET", _INSTANCE, wado.retrieve_instance, READ, "retrieve"),
    Route("GET", _STUDY + "/metadata", metadata.retrieve_study_metadata, READ, "metadata"),
    Route("GET", _SERIES + "/metadata", metadata.retrieve_series_metadata, READ, "metadata"),
    Route("GET", _INSTANCE + "/metadata", metadata.retrieve_instance_metadata, READ, "metadata"),
    Route("GET", _INSTANCE + "/bulkdata/{path:.+}", bulkdata.retrieve_bulk_value, READ, "retrieve"),
    Route("GET", _STUDY + "/rendered", rendered.retrieve_rendered_study, READ, "rendered"),
    Route("GET", _SERIES + "/rendered", rendered.retrieve_rendered_series, READ, "rendered"),
    Route("GET", _STUDY + "/thumbnail", thumbnails.retrieve_study_thumbnail, READ, "rendered"),
    Route("GET", _SERIES + "/thumbnail", thumbnails.retrieve_series_thumbnail, READ, "rendered"),
    Route("GET", _INSTANCE + "/thumbnail", thumbnails.retrieve_rendered_instance_thumbnail, READ, "rendered"),
    Route("GET", _INSTANCE + "/frames/{frames}/thumbnail", thumbnails.retrieve_frame_thumbnail, READ, "rendered"),
    # WADO-URI (PS3.18 9)
    Route("GET", "/wado", wado_uri.retrieve, READ, "rendered"),
    # The WebSocket session (docs/stream.md)
    Route("GET", "/stream", stream.stream, READ, "frame"),
    # Management
    Route("GET", "/api/explain/{level}", qido.explain, SEARCH, "search"),
    Route("GET", "/api/changes", changes.changes, SEARCH, "changes"),
    Route("GET", "/api/stats", management.stats, MANAGE, "other"),
    Route("DELETE", _STUDY, deleting.delete, MANAGE, "other"),
    Route("DELETE", _SERIES, deleting.delete, MANAGE, "other"),
    Route("DELETE", _INSTANCE, deleting.delete, MANAGE, "other"),
    Route("GET", "/api/studies/{study}/series/{series}", provenance.series, READ, "other"),
    Route("DELETE", "/api/studies/{study}", deleting.delete, MANAGE, "other"),
    Route("DELETE", "/api/studies/{study}/series/{series}", deleting.delete, MANAGE, "other"),
    Route("DELETE", "/api/studies/{study}/series/{series}/instances/{instance}", deleting.delete, MANAGE, "other"),
    Route("GET", "/api/worklist", worklist.search_for_steps, SEARCH, "search"),
    Route("POST", "/api/worklist", worklist.schedule, STORE, "store"),
    Route("GET", "/api/worklist/{step}", worklist.retrieve_step, SEARCH, "search"),
    Route("PUT", "/api/worklist/{step}", worklist.replace_step, STORE, "store"),
    Route("PATCH", "/api/worklist/{step}", worklist.change_step, STORE, "store"),
    Route("DELETE", "/api/worklist/{step}", worklist.remove_step, STORE, "store"),
    Route("GET", "/api/performed", worklist.list_performed, SEARCH, "search"),
    Route("GET", "/api/performed/{instance}", worklist.retrieve_performed, SEARCH, "search"),
    Route("GET", "/api/outbox", outbox.view, MANAGE, "other"),
    Route("GET", "/api/outbox/{entry}", outbox.retrieve_entry, MANAGE, "other"),
    Route("POST", "/api/outbox/{entry}/retry", outbox.retry_entry, MANAGE, "other"),
    Route("POST", "/api/outbox/{entry}/cancel", outbox.cancel_entry, MANAGE, "other"),
    Route("POST", "/api/outbox/peers/{peer}/retry", outbox.retry_peer, MANAGE, "other"),
    Route("POST", "/api/outbox/peers/{peer}/cancel", outbox.cancel_peer, MANAGE, "other"),
    Route("GET", "/api/renditions", renditions.show, MANAGE, "other"),
    Route("GET", _PACK, renditions.show_series, MANAGE, "other"),
    Route("POST", _PACK, renditions.make, MANAGE, "other"),
    Route("DELETE", _PACK, renditions.drop, MANAGE, "other"),
    Route("GET", "/api/conflicts", management.conflicts, MANAGE, "other"),
    Route("GET", "/api/defects", management.defects, MANAGE, "other"),
    Route("GET", "/api/defects/{code}", management.with_defect, MANAGE, "other"),
)

# At every address (PS3.18 8.9.1, RFC 9110 9.3.7).
OPTIONS: tuple[Route, ...] = tuple(
    Route("OPTIONS", path, capabilities.options, HEALTH, "other") for path in dict.fromkeys(one.path for one in ROUTES)
)

# How the envelope finds a request's line: by method and path, without the patterns inside its braces.
ROUTE_OF: dict[tuple[str, str], Route] = {
    (method, template(route.path)): route
    for route in (*ROUTES, *OPTIONS)
    for method in ((route.method, "HEAD") if route.method == "GET" else (route.method,))
}


def allowed(path: str) -> str:
    """What may be asked at an address, given as its template: the value of ``Allow`` (RFC 9110 10.2.1)."""
    return ", ".join(sorted(method for method, of in ROUTE_OF if of == path))
