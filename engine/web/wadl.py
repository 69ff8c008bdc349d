"""The WADL description of the DICOMweb addresses (PS3.18 8.9 and annex H), made from the same tables as the OpenAPI one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from engine.web.faces import FACES
from engine.web.routes import Route, template

_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_BASE = "/dicom-web"
_XSD = {"integer": "xsd:integer", "array": "xsd:string", "string": "xsd:string"}


def wadl(routes: tuple[Route, ...], root: str, below: str = "") -> bytes:
    """A document of the resources at `below` and under it; those of DICOMweb are named from its Base URI (PS3.18 8.2)."""
    base = _BASE if below.startswith(_BASE) else ""
    application = ET.Element("application", {"xmlns": _NAMESPACE, "xmlns:xsd": "http://www.w3.org/2001/XMLSchema"})
    resources = ET.SubElement(application, "resources", base=root + base)
    nodes: dict[str, ET.Element] = {base: resources}
    for route in routes:
        path = template(route.path).rstrip("/")
        if path.startswith(base + "/") and (path == below or path.startswith(below + "/")):
            _method(_resource(nodes, path), route)
    ET.indent(application)
    text: bytes = ET.tostring(application, "utf-8", xml_declaration=True)
    return text


def _resource(nodes: dict[str, ET.Element], path: str) -> ET.Element:
    """The element of an address, inside those of the addresses above it."""
    if path not in nodes:
        above, _, last = path.rpartition("/")
        node = ET.SubElement(_resource(nodes, above), "resource", path=last)
        for name in re.findall(r"{(\w+)}", last):
            ET.SubElement(node, "param", name=name, style="template", type="xsd:string", required="true")
        nodes[path] = node
    return nodes[path]


def _method(resource: ET.Element, route: Route) -> None:
    face = FACES[route.handler]
    name = "".join(word.capitalize() for word in route.handler.__name__.split("_"))
    method = ET.SubElement(resource, "method", name=route.method, id=name)
    request = ET.SubElement(method, "request")
    if len(face.gives) > 1:
        accept = ET.SubElement(request, "param", name="Accept", style="header", default=face.gives[0])
        for media_type in face.gives:
            ET.SubElement(accept, "option", value=media_type)
    for parameter in face.parameters:
        kind = _XSD[str(parameter.schema["type"])]
        needed = "true" if parameter.is_required else "false"
        node = ET.SubElement(request, "param", name=parameter.name, style="query", type=kind, required=needed)
        for value in parameter.schema.get("enum", ()):
            ET.SubElement(node, "option", value=str(value))
    for media_type in face.takes:
        ET.SubElement(request, "representation", mediaType=media_type)
    successes = [status for status in face.statuses if status < 300]
    for status in successes:
        response = ET.SubElement(method, "response", status=str(status))
        for media_type in () if status == 204 else face.gives:
            ET.SubElement(response, "representation", mediaType=media_type)
    errors = [str(status) for status in face.statuses if status >= 400]
    if errors:
        response = ET.SubElement(method, "response", status=" ".join(errors))
        ET.SubElement(response, "representation", mediaType="application/problem+json")
