"""The folder that the setting `ohif` names, as a browser gets it: moved below the root, configured, under its policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Serving

INLINE = 'window.PUBLIC_URL="/ohif/"'


def build_folder(at: Path) -> Path:
    """A build as OHIF's is laid out, for the root of a host."""
    for name, text in {
        "index.html": '<link rel="icon" href="/assets/a.png"><script>window.PUBLIC_URL="/"</script>'
        '<script src="/app-config.js"></script><script defer src="/app.js"></script><a href="https://ohif.org/">',
        "app-config.js": "window.config = { wadoRoot: 'https://elsewhere.example' };",
        "app.js": 'var r;__webpack_require__.p = "/";x.p="";const keep = "/";'
        "load('/assets/a.png');load('/assets/b.png')",
        "app.css": "@font-face{src:url(/a.woff2)}i{background:url(data:x)}",
        "manifest.json": '{"icons": [{"src": "/assets/a.png"}]}',
        "assets/a.png": "not really",
        "codec.wasm": "\0asm",
    }.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)
    return at


def serving(tmp: Path, *lines: str) -> Serving:
    config = tmp / "voxcast.toml"
    config.write_text("\n".join(lines))
    return Serving(tmp / "archive", "--config", str(config))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    tmp = tmp_path_factory.mktemp("ohif")
    build_folder(tmp / "dist")
    (tmp / "secret.js").write_text("outside")
    with serving(tmp, 'ohif = "dist"') as running:  # relative to the file that names it
        yield running


def test_the_build_is_moved_below_the_root(server: Serving) -> None:
    page = server.get("/ohif/").text
    assert 'href="/ohif/assets/a.png"' in page
    assert f"<script>{INLINE}</script>" in page
    assert 'src="/ohif/app.js"' in page
    assert 'href="https://ohif.org/"' in page
    assert server.get("/ohif/app.js").text == 'var r;__webpack_require__.p = "/ohif/";x.p="";const keep = "/";' + (
        "load('/ohif/assets/a.png');load('/assets/b.png')"
    )
    assert server.get("/ohif/app.css").text == "@font-face{src:url(/ohif/a.woff2)}i{background:url(data:x)}"
    assert server.get("/ohif/manifest.json").json() == {"icons": [{"src": "/ohif/assets/a.png"}]}
    assert server.get("/ohif/codec.wasm").headers["Content-Type"] == "application/wasm"
    assert server.get("/ohif/assets/a.png").content == b"not really"


def test_its_own_addresses_give_the_page(server: Serving) -> None:
    page = server.get("/ohif/").content
    assert server.get("/ohif/viewer?StudyInstanceUIDs=1.2.3").content == page
    assert server.get("/ohif?a=b").url == f"{server.url}/ohif/?a=b"


def test_the_configuration_is_for_this_server(server: Serving) -> None:
    script = server.get("/ohif/app-config.js").text
    assert "elsewhere" not in script
    found = re.search(r"window\.config = (\{.*?\n\});\n", script, re.DOTALL)
    assert found is not None
    config = json.loads(found[1])
    assert config["routerBasename"] == "/ohif/"
    assert [s["sourceName"] for s in config["dataSources"]] == [config["defaultDataSourceName"]]
    for key, path in (("qidoRoot", "/dicom-web"), ("wadoRoot", "/dicom-web"), ("wadoUriRoot", "/wado")):
        assert f'configuration.{key} = window.location.origin + "{path}";' in script


def test_the_policy_lets_nothing_foreign_in(server: Serving) -> None:
    headers = server.get("/ohif/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy["script-src"]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert not any("http" in sources or "*" in sources for sources in policy.values())
    for name in ("", "app.js", "codec.wasm"):
        headers = server.get(f"/ohif/{name}").headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_is_sent_once(server: Serving) -> None:
    for name in ("app.js", "codec.wasm", "app-config.js"):
        first = server.get(f"/ohif/{name}")
        again = server.get(f"/ohif/{name}", If_None_Match=first.headers["ETag"])
        assert (again.status_code, again.content) == (304, b"")
    assert server.get("/ohif/app.js").headers["Content-Encoding"] == "gzip"
    plain = server.get("/ohif/app.js", Accept_Encoding="identity")
    assert "Content-Encoding" not in plain.headers
    assert plain.text.startswith("var r;")


@pytest.mark.parametrize(
    "path", ["/ohif/none.js", "/ohif/..%2Fsecret.js", "/ohif/%2e%2e/secret.js", "/ohif/assets/none.png"]
)
def test_nothing_else_is_there(server: Serving, path: str) -> None:
    assert server.get(path).status_code == 404


def test_behind_a_proxy_it_is_where_the_proxy_says(tmp_path: Path) -> None:
    build_folder(tmp_path / "dist")
    with serving(tmp_path, 'ohif = "dist"', 'public_url = "https://pacs.example/voxcast"') as server:
        assert 'src="/voxcast/ohif/app.js"' in server.get("/ohif/").text
        script = server.get("/ohif/app-config.js").text
        assert '"routerBasename": "/voxcast/ohif/"' in script
        assert 'qidoRoot = window.location.origin + "/voxcast/dicom-web"' in script


@pytest.mark.parametrize(("setting", "words"), [("", "the setting ohif"), ('ohif = "empty"', "holds no index.html")])
def test_without_a_build_it_says_what_to_do(tmp_path: Path, setting: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path, setting) as server:
        answer = server.get("/ohif/")
        assert answer.status_code == 404
        assert words in answer.json()["detail"]
