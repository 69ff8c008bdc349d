"""A proxy on loopback that writes down what a client asks a server, and passes everything on unchanged."""

from __future__ import annotations

import re
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
_UIDS = re.compile(r"/(studies|series|instances)/[0-9.]+")
_VALUES = re.compile(r"/bulkdata/.+")
_NUMBERS = re.compile(r"/frames/[0-9,]+")


class Recording:
    """``async with Recording(server.url) as proxy: …``; `asked` has every request as a pattern, `failed` what was refused."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.asked: set[str] = set()
        self.failed: list[str] = []

    async def __aenter__(self) -> Recording:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        # A browser keeps its connections; nobody waits for them here.
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        [(host, port)] = self._runner.addresses
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(("/ohif", "/static")):
            self.asked.add(pattern_of(request))
        headers = CIMultiDict((k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP)
        # The origin stays the proxy's; a page of it is a page of the server for both.
        if "Origin" in headers:
            headers["Origin"] = self._upstream
        body = await request.read() if request.body_exists else None
        answer = await self._session.request(
            request.method, self._upstream + request.raw_path, headers=headers, data=body, allow_redirects=False
        )
        async with answer:
            if answer.status >= 400:
                self.failed.append(f"{answer.status} {request.method} {request.raw_path}")
            passed = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP)
            return web.Response(status=answer.status, headers=passed, body=await answer.read())


def pattern_of(request: web.Request) -> str:
    """``GET /dicom-web/studies/{study}/series?includefield [application/dicom+json]``: no UID, no value."""
    parts = urlsplit(request.raw_path)
    path = _VALUES.sub("/bulkdata/{path}", _NUMBERS.sub("/frames/{frames}", _UIDS.sub(r"/\1/{\1}", parts.path)))
    for plural, name in (("{studies}", "{study}"), ("{instances}", "{instance}")):
        path = path.replace(plural, name)
    names = ",".join(dict.fromkeys(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)))
    marks = [request.headers.get("Accept", "")] + (["Range"] if "Range" in request.headers else [])
    return f"{request.method} {path}{'?' * bool(names)}{names} [{'; '.join(marks)}]"
