"""The table of routes is what the application serves, every line with its permission, and the docs name every address."""

from __future__ import annotations

import re
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.metrics import KINDS, Metrics
from engine.settings import Settings
from engine.stream.frames import FrameService
from engine.web.access import Permission
from engine.web.app import build
from engine.web.faces import FACES
from engine.web.routes import ROUTE_OF, ROUTES
from engine.web.schemas import SCHEMAS
from engine.web.services import Services

DOCS = Path(__file__).parents[3] / "docs" / "dicomweb.md"


def test_every_address_that_is_served_has_its_line_and_permission() -> None:
    archive = Archive.in_memory()
    executors, metrics = Executors(1), Metrics()
    acceptor = Acceptor(archive, archive.limits)
    frames = FrameService(archive, executors, archive.limits, metrics)
    app = build(Services(Settings(), archive, acceptor, SeriesDocuments(archive), frames, executors, metrics))
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    assert served == set(ROUTE_OF)
    acceptor.close()
    executors.close()


def test_each_line_is_complete() -> None:
    for route in ROUTES:
        assert isinstance(route.permission, Permission)
        assert route.kind in KINDS
        assert route.handler.__doc__, route.path
    changing = [route for route in ROUTES if route.method != "GET"]
    assert all(route.permission in (Permission.STORE, Permission.MANAGE) for route in changing)
    patients = [r for r in ROUTES if r.permission is Permission.HEALTH]
    described = {"/dicom-web", "/dicom-web/", "/api/openapi.json"}
    assert {r.path for r in patients} == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/static/{name}",
        "/plain/{name}",
    } | described


def test_every_handler_has_a_face_and_every_face_a_handler() -> None:
    assert set(FACES) == {route.handler for route in ROUTES}
    for face in FACES.values():
        assert not face.schema or face.schema in SCHEMAS
        assert face.clause == "" or re.fullmatch(r"\d+(\.\d+)*", face.clause)
        names = [one.name for one in face.parameters]
        assert len(names) == len(set(names))


def test_the_docs_name_every_address() -> None:
    text = DOCS.read_text()
    for route in ROUTES:
        path = re.sub(r":[^}]+}", "}", route.path)
        assert f"`{route.method} {path}`" in text, path
