"""`voxcast serve`: the server until SIGTERM or SIGINT; its process stays, so it imports nothing large."""

from __future__ import annotations

from engine.errors import InvalidParameter
from engine.server.supervisor import serve
from engine.settings import Settings


def run(settings: Settings) -> int:
    if settings.http == settings.dicom == "off":
        raise InvalidParameter("http", "off", "at least one front end: --http or --dicom must not be off")
    return serve(settings)
