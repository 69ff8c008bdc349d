"""A page of another origin, as a browser asks for it (Fetch standard, CORS protocol)."""

from __future__ import annotations

from pathlib import Path

from data import make_instance
from serving import BOUNDARY, Serving, multipart

PAGE = "https://viewer.example:3000"
ASKS = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "accept, range"}


def test_only_the_origins_of_the_setting_may_ask(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'cors_origins = "http://localhost:5173, {PAGE}"\n')
    with Serving(tmp_path / "archive", "--config", str(config)) as server:
        assert server.store(make_instance()).status_code == 200
        path = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/frames/1"
        asked = server.session.options(server.url + path, headers={"Origin": PAGE, **ASKS})
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == PAGE
        assert asked.headers["Access-Control-Allow-Headers"] == "accept, range"
        frame = server.get(path, Origin=PAGE)
        assert (frame.status_code, frame.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
        assert "Content-Range" in frame.headers["Access-Control-Expose-Headers"]
        assert "Origin" in frame.headers["Vary"]
        wrong = server.get("/dicom-web/studies/1.9", Origin=PAGE)
        assert (wrong.status_code, wrong.headers["Access-Control-Allow-Origin"]) == (404, PAGE), "a page may read why"
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        for origin, status in ((PAGE, 200), ("https://evil.example", 403)):
            answer = server.session.post(
                server.url + "/dicom-web/studies",
                data=multipart(make_instance()),
                headers={"Content-Type": kind, "Origin": origin},
            )
            assert answer.status_code == status
        other = server.session.options(server.url + path, headers={"Origin": "https://evil.example", **ASKS})
        assert (other.status_code, "Access-Control-Allow-Origin" in other.headers) == (200, False)


def test_nobody_is_named_unless_told(tmp_path: Path) -> None:
    with Serving(tmp_path / "archive") as server:
        answer = server.get("/dicom-web/studies", Origin=PAGE)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"
