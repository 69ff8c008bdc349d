"""A headless Chromium for tests, driven by the DevTools protocol over one WebSocket: no driver program, no further package."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)")

# --no-sandbox: test machines run as root, where the sandbox cannot start; only our own page on loopback is opened.
_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
]
# Pages that draw by WebGL get it from the processor.
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
_PATIENCE_S = 30.0
_GOING = "Inspected target navigated or closed"  # asked of the page before, while the next one came in its place


class Browser:
    """``async with Browser(1280, 800) as page: await page.open(url)``; `options` are further ones of Chromium's."""

    def __init__(self, width: int, height: int, *options: str) -> None:
        self._size = (width, height)
        self._options = (*_OPTIONS, *options)

    async def __aenter__(self) -> Page:
        assert CHROMIUM is not None
        self._profile = tempfile.mkdtemp(prefix="voxcast-chromium-")
        width, height = self._size
        self._process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *self._options,
            f"--user-data-dir={self._profile}",
            f"--window-size={width},{height}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._session = aiohttp.ClientSession()
        try:
            target = await self._target(await self._port())
            socket = await self._session.ws_connect(target, max_msg_size=0, heartbeat=None)
            self._page = Page(socket)
            await self._page.begin(width, height)
        except BaseException:
            await self._close()
            raise
        return self._page

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self._page.end()
        finally:
            await self._close()  # whatever went wrong, no Chromium stays

    async def _port(self) -> int:
        """Chromium writes the port that it chose into its profile."""
        file = Path(self._profile, "DevToolsActivePort")
        for _ in range(int(_PATIENCE_S * 20)):
            if port := _first_line(file):
                return int(port)
            if self._process.returncode is not None:
                raise AssertionError(f"Chromium ended with {self._process.returncode}")
            await asyncio.sleep(0.05)
        raise AssertionError("Chromium did not open its DevTools port")

    async def _target(self, port: int) -> str:
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [one for one in await answer.json(content_type=None) if one["type"] == "page"]
        return str(pages[0]["webSocketDebuggerUrl"])

    async def _close(self) -> None:
        await self._session.close()
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: its children and nobody else's
        await self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """One tab. `problems` collects what a reader would never see: console errors, exceptions, policy violations."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self.problems: list[str] = []
        self.requests: list[str] = []

    async def begin(self, width: int, height: int) -> None:
        self._reader = asyncio.create_task(self._read())
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.resize(width, height)

    async def end(self) -> None:
        await self._socket.close()
        await self._reader

    async def _read(self) -> None:
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if not answer.done():
                    answer.set_result(said)
            else:
                self._heard(said["method"], said["params"])
        for answer in self._answers.values():
            if not answer.done():  # given up by who waited for it
                answer.set_exception(AssertionError("Chromium went away"))

    def _heard(self, event: str, about: dict[str, Any]) -> None:
        match event:
            case "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.problems.append(f"console: {about['args']}")
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.problems.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, _PATIENCE_S)
        assert "error" not in said, f"{method}: {said.get('error')}"
        return dict(said["result"])

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression (it may be a promise) gives."""
        done = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression gives something true; fails with what the page says by then."""
        for _ in range(int(_PATIENCE_S * 40)):
            try:
                if found := await self.value(expression):
                    return found
            except AssertionError as error:
                if _GOING not in str(error):
                    raise
            await asyncio.sleep(0.025)
        text = await self.value("document.body.innerText")
        raise AssertionError(f"never true: {expression}\n{text}\n{self.problems}")

    async def centre(self, selector: str) -> tuple[float, float]:
        x, y = await self.value(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.left + r.width / 2, r.top + r.height / 2]; })()"
        )
        return x, y

    async def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    async def click(self, selector: str, count: int = 1) -> None:
        x, y = await self.centre(selector)
        for n in range(1, count + 1):
            await self.mouse("mousePressed", x, y, button="left", clickCount=n)
            await self.mouse("mouseReleased", x, y, button="left", clickCount=n)

    async def drag(self, selector: str, right: float, down: float, steps: int = 8) -> None:
        x, y = await self.centre(selector)
        await self.mouse("mousePressed", x, y, button="left", clickCount=1)
        for step in range(1, steps + 1):
            await self.mouse("mouseMoved", x + right * step / steps, y + down * step / steps, button="left", buttons=1)
        await self.mouse("mouseReleased", x + right, y + down, button="left", clickCount=1)

    async def wheel(self, selector: str, notches: int) -> None:
        x, y = await self.centre(selector)
        for _ in range(abs(notches)):
            await self.mouse("mouseWheel", x, y, deltaX=0, deltaY=100 if notches > 0 else -100)

    async def touch(self, *paths: list[tuple[float, float]], hold_s: float = 0.0) -> None:
        """Fingers go along their paths side by side, after resting for `hold_s`; all paths have as many places."""
        await self.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
        for step, places in enumerate(zip(*paths, strict=True)):
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
            await self.call("Input.dispatchTouchEvent", type="touchMove" if step else "touchStart", touchPoints=points)
            if step == 0:
                await asyncio.sleep(hold_s)
        await self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def screenshot(self) -> bytes:
        """The window as PNG."""
        done = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(done["data"])


def _first_line(file: Path) -> str:
    """Of a file that another process writes; empty until the line is whole."""
    text = file.read_text() if file.exists() else ""
    return text.split("\n")[0] if "\n" in text else ""
