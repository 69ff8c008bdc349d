"""Settings: which source wins, what is refused and how, and that nothing is lost on the way to a child process."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidParameter
from engine.forwarding import Rule
from engine.limits import Limits
from engine.peers import Peer
from engine.setting_tables import keys_of
from engine.setting_values import endpoint
from engine.settings import Loaded, Settings, is_loopback, load, table
from engine.tls_settings import DicomTls
from engine.users import User


def loaded(
    toml: Path | None = None, environ: dict[str, str] | None = None, **command_line: object
) -> Loaded:  # fmt: skip
    return load(config=toml, environ=environ or {}, command_line=command_line)


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "voxcast.toml"
        path.write_text(text)
        return path

    return write


def test_without_anything_all_is_default() -> None:
    result = loaded()
    assert result.settings == Settings()
    assert set(result.origins.values()) == {"default"}
    assert set(result.origins) == {described.key for described in table()}


def test_command_line_over_environment_over_file_over_default(toml: Any) -> None:
    path = toml('aet = "FILE"\njpeg_quality = 80\nworkers = 3\n')
    environ = {"VOXCAST_JPEG_QUALITY": "70", "VOXCAST_WORKERS": "2", "HOME": "elsewhere"}
    result = loaded(path, environ, workers=1, aet=None)
    settings = result.settings
    assert (settings.aet, settings.jpeg_quality, settings.workers) == ("FILE", 70, 1)
    assert result.origins["aet"] == f"file {path}"
    assert result.origins["jpeg_quality"] == "environment VOXCAST_JPEG_QUALITY"
    assert result.origins["workers"] == "command line"
    assert result.origins["http"] == "default"


def test_limits_are_settings(toml: Any) -> None:
    result = loaded(toml("[limits]\nspool_bytes = 1000\nframes_max = 5\n"), {"VOXCAST_LIMITS_FRAMES_MAX": "6"})
    assert result.settings.limits == Limits(spool_bytes=1000, frames_max=6)
    assert result.origins["limits.frames_max"] == "environment VOXCAST_LIMITS_FRAMES_MAX"


def test_the_file_may_come_from_the_environment(toml: Any) -> None:
    path = toml('archive = "here"\n')
    result = loaded(None, {"VOXCAST_CONFIG": str(path)})
    assert result.settings.archive == path.parent / "here"
    assert loaded(toml('archive = "/there"\n')).settings.archive == Path("/there")


@pytest.mark.parametrize(
    ("text", "environ", "command_line", "nearest"),
    [
        ('htpp = "off"', {}, {}, "http"),
        ("[limits]\nspool_byte = 1", {}, {}, "limits.spool_bytes"),
        ("[limit]\nspool_bytes = 1", {}, {}, "limits.spool_bytes"),
        ("", {"VOXCAST_ARCHVE": "x"}, {}, "VOXCAST_ARCHIVE"),
        ("", {"VOXCAST_LIMITS_SPOOLBYTES": "1"}, {}, "VOXCAST_LIMITS_SPOOL_BYTES"),
        ("", {}, {"worker": 1}, "workers"),
    ],
)
def test_an_unknown_key_names_the_nearest(
    toml: Any, text: str, environ: dict[str, str], command_line: dict[str, object], nearest: str
) -> None:
    with pytest.raises(InvalidParameter, match=rf"the nearest is {re.escape(nearest)}\b"):
        load(config=toml(text), environ=environ, command_line=command_line)


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("archive", ""), ("archive", 3), ("archive", "a\0b"),
        ("http", "8080"), ("http", ":8080"), ("http", "127.0.0.1:"), ("http", "127.0.0.1:65536"), ("http", "::1:80"),
        ("http", "[127.0.0.1]:80"), ("http", "127.0.0.1:-1"), ("http", "127.0.0.1:٨٠"), ("http", 8080), ("dicom", "OFF"),
        ("aet", ""), ("aet", "  "), ("aet", "SEVENTEEN_LETTERS"), ("aet", "A\\B"), ("aet", "A\nB"), ("aet", "Ä"),
        ("workers", -1), ("workers", 257), ("workers", "1.0"), ("workers", " 1"), ("workers", "1_0"), ("workers", True),
        ("workers", 1.0), ("on_conflict", "keep"), ("on_conflict", None), ("jpeg_quality", 0), ("jpeg_quality", 101),
        ("log_level", "INFO"), ("log_format", ["json"]), ("unknown_callers", "shout"), ("unknown_callers", 3),
        ("called_aets", ["SEVENTEEN_LETTERS"]), ("called_aets", [""]), ("storage_classes", "some"),
        ("storage_classes", ["1.2.x"]), ("called_aets", 3),
        ("limits.spool_bytes", 0), ("limits.spool_bytes", 2**63), ("limits.sequence_depth_max", 513),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_what_is_expected(toml: Any, key: str, bad: object) -> None:
    if isinstance(bad, str) and bad.isprintable():
        name = "VOXCAST_" + key.upper().replace(".", "_")
        with pytest.raises(InvalidParameter, match="expected .*environment " + name) as caught:
            loaded(None, {name: bad})
        assert caught.value.name == name
    if bad is not None:  # None means "not given" there
        with pytest.raises(InvalidParameter, match=r"expected .*command line"):
            load(config=None, environ={}, command_line={key: bad})


def test_an_unreadable_file_is_refused(toml: Any, tmp_path: Path) -> None:
    for path, what in ((tmp_path / "none.toml", "readable"), (tmp_path, "readable"), (toml("a = "), "TOML")):
        with pytest.raises(InvalidParameter, match=what):
            loaded(path)
    (tmp_path / "latin.toml").write_bytes(b'aet = "\xe4"')
    with pytest.raises(InvalidParameter, match="TOML"):
        loaded(tmp_path / "latin.toml")
    with pytest.raises(InvalidParameter):
        loaded(toml("limits = 3"))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("off", None),
    ],
)
def test_endpoint(text: str, where: tuple[str, int] | None) -> None:
    assert endpoint(text) == where


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.1", "10.0.0.1", "localhost.example.org", "127.0.0.1.nip.io", "", "::ffff:10.0.0.1"]
)  # fmt: skip
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("key", ["http", "dicom"])
@pytest.mark.parametrize("where", ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "pacs.example.org:1"])
def test_secure_as_delivered(key: str, where: str) -> None:
    with pytest.raises(InvalidParameter, match="access control"):
        load(config=None, environ={}, command_line={key: where})
    with pytest.raises(InvalidParameter, match="access control"):
        load(config=None, environ={"VOXCAST_" + key.upper(): where}, command_line={})


def test_other_machines_reach_the_dicom_port_once_somebody_said_who_may_what(toml: Any) -> None:
    """The architecture's ninth invariant."""
    for text in ('[peers.CT]\naet = "CT"', "unknown_callers = []", 'unknown_callers = ["echo"]'):
        config = toml(f'dicom = "0.0.0.0:11112"\n{text}')
        assert load(config=config, environ={}, command_line={}).settings.dicom == "0.0.0.0:11112"
        with pytest.raises(InvalidParameter, match="access control"):
            load(config=config, environ={}, command_line={"http": "0.0.0.0:8080"})


_EVERY_KEY = Peer(
    name="x", aet="X", host="pacs", port=1, calling_aet="ME", addresses=("10.0.0.0/8",), permissions=("store",), tls="on",
    tls_ca=Path("ca"), tls_certificate=Path("c"), tls_key=Path("k"), tls_verify_host=False, tls_client_certificate=True,
    tls_names=("x",), associations_max=1, send_associations_max=2, pdu_bytes_max=3, idle_s_max=4, total_s_max=5, needs_user=True,
    transcode=False,
)  # fmt: skip
_EVERY_USER = User(name="ann", password="scrypt:2:1:1:" + "A" * 24 + ":" + "A" * 44, permissions=("find",))
_EVERY_TLS = DicomTls(
    listen="0.0.0.0:2762",
    certificate=Path("c"),
    key=Path("k"),
    ca=Path("a"),
    clients="optional",
    profile="bcp195-modified",
)
_EVERY_CONDITION = Rule(
    name="r", to=("x",), sources=("a",), doors=("stow",), called=("b",), modalities=("CT",), stations=("c",),
    study_descriptions=("d",), series_descriptions=("e",), institutions=("f",), sop_classes=("1",), hours=("01:00-02:00",),
    send_hours=("02:00-03:00",),
    priority="low", quiet_s=5,
)  # fmt: skip
_TEXT = st.text(min_size=1).filter(lambda t: "\0" not in t)


@given(st.none() | _TEXT.map(Path), st.integers(0, 256), st.integers(1, 2**62), st.sampled_from(["off", "[::1]:0"]))
def test_a_child_gets_equal_settings(archive: Path | None, workers: int, spool_bytes: int, http: str) -> None:
    settings = Settings(archive=archive, workers=workers, http=http, limits=Limits(spool_bytes=spool_bytes))
    assert Settings.from_json(settings.to_json()) == settings
    assert "\n" not in settings.to_json()  # it travels as one line


def test_every_setting_survives_the_way_to_a_child() -> None:
    changed = Settings(
        archive=Path("a"), http="off", dicom="off", aet="A", workers=2, on_conflict="replace", jpeg_quality=1,
        congestion_control="bbr",
        log_level="error", log_format="json", renditions="off", move_retry=False, trusted_proxies="127.0.0.1", cors_origins="*",
        public_url="https://pacs.example", ohif=Path("o"), unknown_callers=("echo",), called_aets=("B",), peers=(_EVERY_KEY,),
        forward=(_EVERY_CONDITION,), dicom_tls=_EVERY_TLS, users=(_EVERY_USER,), user_identity="required", storage_classes=("any",),
        limits=Limits(**{name: 17 for name, _, _ in Limits.table()}),
    )  # fmt: skip
    default = Settings()
    same = [f.name for f in dataclasses.fields(Settings) if getattr(changed, f.name) == getattr(default, f.name)]
    assert not same, "this test must change every field"
    for entry, plain in (
        (_EVERY_KEY, Peer(name="x", aet="")),
        (_EVERY_CONDITION, Rule(name="plain", to=())),
        (_EVERY_TLS, DicomTls()),
        (_EVERY_USER, User(name="x")),
    ):
        same = [f.name for f in keys_of(type(entry)) if getattr(entry, f.name) == getattr(plain, f.name)]
        assert not same, "this test must change every key"
    assert Settings.from_json(changed.to_json()) == changed


def test_an_idle_supervisor_holds_nothing_large() -> None:
    script = (
        "import sys, engine.cli.app, engine.cli.serve\n"
        "large = {'numpy', 'numba', 'pydicom', 'pynetdicom', 'aiohttp', 'asyncio', 'rich', 'lmdb', 'imagecodecs', 'uvloop'}\n"
        "print(sorted(large & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
