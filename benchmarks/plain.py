"""aiohttp by itself, as one would write it: bodies in memory, a handler that gives one in a ``web.Response``, uvloop.

    python -m benchmarks.plain FOLDER PORT

It looks nothing up, reads no file and negotiates nothing: what is left is what its requests and answers cost. Its bytes are those
that the other servers have.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from benchmarks.peers import FileServer
from benchmarks.process import free_port


class Plain(FileServer):
    """Such a server over a folder of files, in one process."""

    name = "aiohttp"

    def __init__(self, files: Path, log: Path) -> None:
        port = free_port()
        super().__init__([sys.executable, "-m", "benchmarks.plain", str(files), str(port)], log, port)
        self.version = importlib.metadata.version("aiohttp")


def application(files: Path) -> web.Application:
    """All files of a folder under their names in it."""
    bodies = {f"/{path.relative_to(files)}": path.read_bytes() for path in files.rglob("*") if path.is_file()}

    async def give(request: web.Request) -> web.Response:
        body = bodies.get(request.path)
        return web.Response(status=404) if body is None else web.Response(body=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", give)
    return app


async def _serve(files: Path, port: int) -> None:
    runner = web.AppRunner(application(files), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
