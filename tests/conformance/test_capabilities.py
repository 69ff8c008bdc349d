"""PS3.18 8.9, RFC 9110 9.3.7: the server says itself what it can do, at every address, and only what it can."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from data import make_instance
from serving import Serving

from engine.web.routes import ROUTE_OF, ROUTES, template

WADL = "application/vnd.sun.wadl+xml"
NS = "{http://wadl.dev.java.net/2009/02}"
VALUES = {"study": "1.2.3", "series": "1.2.3.4", "instance": "1.2.3.4.1", "frames": "1", "path": "7FE00010"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(make_instance("1.2.3.4.1")).status_code == 200
        yield running


@pytest.mark.clause("PS3.18 8.9.1")
@pytest.mark.parametrize("path", sorted({template(route.path) for route in ROUTES}))
def test_options_at_every_address(server: Serving, path: str) -> None:
    address = re.sub(r"{(\w+)}", lambda found: VALUES.get(found[1], "x"), path)
    answer = server.session.options(server.url + address, timeout=60)
    methods = {route.method for route in ROUTES if template(route.path) == path}
    expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (200, expected)
    assert answer.headers["Content-Type"] == "application/json"
    below = path.rstrip("/")
    described = answer.json()["paths"]
    assert path in described
    assert all(one in (path, below) or one.startswith(below + "/") for one in described)
    assert set(described[path]) == {method.lower() for method in expected}
    silent = server.session.options(server.url + address, headers={"Accept": "text/html"}, timeout=60)
    assert (silent.status_code, silent.content, silent.headers["Allow"]) == (204, b"", answer.headers["Allow"])


@pytest.mark.clause("PS3.18 8.9.3")
@pytest.mark.clause("PS3.18 8.9.4")
def test_the_base_answers_as_it_is_asked(server: Serving) -> None:
    for path in ("/dicom-web", "/dicom-web/"):
        whole = server.get(path)
        assert (whole.status_code, whole.headers["Content-Type"]) == (200, "application/json")
        assert whole.json()["servers"] == [{"url": server.url}]
        assert server.get(path, "application/json").json() == whole.json()
        assert server.get(path, WADL).headers["Content-Type"] == WADL
        assert server.get(path, f"text/html, {WADL};q=0.5, application/json;q=0.2").headers["Content-Type"] == WADL
        assert server.get(path, "text/html").status_code == 406
        assert server.get(path, If_None_Match=whole.headers["ETag"]).status_code == 304
    gone = server.session.options(server.url + "/dicom-web/nothing", timeout=60)
    assert gone.status_code == 404


@pytest.mark.clause("PS3.18 H")
def test_the_wadl_has_every_dicomweb_address(server: Serving) -> None:
    def addresses(node: ET.Element, above: str) -> Iterator[tuple[str, str, ET.Element]]:
        for child in node.findall(NS + "resource"):
            path = f"{above}/{child.get('path')}"
            names = re.findall(r"{(\w+)}", child.get("path", ""))
            assert [p.get("name") for p in child.findall(NS + "param") if p.get("style") == "template"] == names
            for method in child.findall(NS + "method"):
                yield method.get("name", ""), path, method
            yield from addresses(child, path)

    application = ET.fromstring(server.get("/dicom-web", WADL).content)
    assert application.tag == NS + "application"
    [resources] = application.findall(NS + "resources")
    assert resources.get("base") == server.url + "/dicom-web"
    found = {(method, "/dicom-web" + path): node for method, path, node in addresses(resources, "")}
    expected = {(route.method, template(route.path)) for route in ROUTES if route.path.startswith("/dicom-web/s")}
    expected |= {
        (route.method, route.path) for route in ROUTES if route.path in ("/dicom-web/series", "/dicom-web/instances")
    }
    assert set(found) == expected
    search = found["GET", "/dicom-web/studies"]
    names = {param.get("name") for param in search.iter(NS + "param")}
    assert {"PatientID", "StudyDate", "limit", "offset", "includefield", "fuzzymatching"} <= names
    assert "SeriesNumber" not in names
    store = found["POST", "/dicom-web/studies"]
    taken = [one.get("mediaType") for one in store.find(NS + "request").iter(NS + "representation")]  # type: ignore[union-attr]
    assert 'multipart/related; type="application/dicom"' in taken


def test_the_openapi_description_names_every_route_and_no_other(server: Serving) -> None:
    document = server.get("/api/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    named = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert named == set(ROUTE_OF)
    operations = [one for item in document["paths"].values() for one in item.values()]
    ids = [one["operationId"] for one in operations]
    assert len(ids) == len(set(ids))
    for operation in operations:
        assert operation["summary"]
        for response in operation["responses"].values():
            _, _, name = response.get("$ref", "#/components/responses/500").rpartition("/")
            assert name in document["components"]["responses"]


def test_head_is_described_as_get_without_body_and_ranges(server: Serving) -> None:
    paths = server.get("/api/openapi.json").json()["paths"]
    for item in paths.values():
        assert set(item["options"]["responses"]["200"]["content"]) == {"application/json", WADL}
        assert "Allow" in item["options"]["responses"]["204"]["headers"]
        assert ("head" in item) == ("get" in item)
        if "get" in item:
            get, head = item["get"], item["head"]
            assert head["parameters"] == get["parameters"]
            assert set(head["responses"]) == set(get["responses"]) - {"206", "416"}
            assert not any("content" in response for response in head["responses"].values())
