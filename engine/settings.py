"""Every setting, what it means, and where its value came from: command line over environment over TOML over defaults.

Built once by `load`, frozen, passed down; child processes get it as JSON. Imports nothing that an idle process must not
hold for years.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import InvalidParameter
from engine.limits import Limits

PREFIX = "VOXCAST_"
_NOT_SETTINGS = (PREFIX + "CONFIG", PREFIX + "TEST_")  # the name of the TOML file, and what only tests read
_PATHS = ("archive", "ohif")
_LIMIT_MAX = 2**62  # the scanner takes unsigned 64-bit limits and adds to them
_SEQUENCE_DEPTH_CEILING = 512  # the scanner recurses: this many of its frames fit a 512 KiB thread stack


def endpoint(text: str) -> tuple[str, int] | None:
    """``"127.0.0.1:8080"`` or ``"[::1]:8080"`` → host and port (0 picks a free one); ``"off"`` → None.

    Raises
    ------
    ValueError
    """
    if text == "off":
        return None
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("not host:port")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# -- one parser for each kind of value: raises ValueError or TypeError for what it does not take


def _path(value: object) -> Path | None:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ValueError
    return Path(value).expanduser()


def _endpoint(value: object) -> str:
    text = _text(value)
    endpoint(text)
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _origins(value: object) -> str:
    text = _text(value).strip()
    for origin in text.split(","):
        if origin.strip() not in ("", "*") and not re.fullmatch(r"https?://[^/\s,@]+", origin.strip()):
            raise ValueError
    return text


def _public_url(value: object) -> str:
    text = _text(value).strip().rstrip("/")
    # Nothing that could end the JSON string it is put into, no user, no query.
    if text and not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~-]+)*", text):
        raise ValueError
    _ = urlsplit(text).port  # ValueError for one above 65535
    return text


def _networks(value: object) -> str:
    text = _text(value).strip()
    for part in text.split(",") if text else ():
        ipaddress.ip_network(part.strip(), strict=False)
    return text


def _ae_title(value: object) -> str:
    text = _text(value).strip(" ")
    if not 1 <= len(text) <= 16 or not (text.isascii() and text.isprintable()) or "\\" in text:
        raise ValueError
    return text


def _choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError
        return _text(value)

    return parse


def _number(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        # A TOML boolean is no number, and int() would take "1_0", " 1" and "٣".
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return parse


def _setting(default: Any, doc: str, expected: str, parse: Callable[[object], Any]) -> Any:
    return field(default=default, metadata={"doc": doc, "expected": expected, "parse": parse})


_HOST_PORT = "host:port such as 127.0.0.1:8080 or [::1]:8080 (port 0 picks a free one), or off"
_CONFLICTS = ("keep-first", "replace")
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process. Field metadata: what it means (`doc`), what it takes (`expected`)."""

    archive: Path | None = _setting(  # noqa: RUF009 - it is a field
        None, "folder of the archive; made by the first that writes to it", "a path", _path
    )
    http: str = _setting("127.0.0.1:8080", "where the web front end listens", _HOST_PORT, _endpoint)
    dicom: str = _setting("127.0.0.1:11112", "where the DICOM front end listens", _HOST_PORT, _endpoint)
    aet: str = _setting(
        "VOXCAST",
        "AE title of the DICOM front end (PS3.5 6.2)",
        "1 to 16 printable ASCII characters, no backslash",
        _ae_title,
    )
    workers: int = _setting(
        0, "web worker processes; 0 is one for every two cores, at least one", "a number from 0 to 256", _number(0, 256)
    )
    on_conflict: str = _setting(
        "keep-first",
        "which instance is served when others arrive with its SOP Instance UID but other bytes; all are kept",
        " or ".join(_CONFLICTS),
        _choice(*_CONFLICTS),
    )
    public_url: str = _setting(
        "",
        "where clients reach this server through a proxy: RetrieveURL and BulkDataURI begin with it, and a request may name"
        " its host; without it addresses are those that the request names",
        "http:// or https://, a host, perhaps a port and a path, such as https://pacs.example/voxcast",
        _public_url,
    )
    cors_origins: str = _setting(
        "",
        "origins whose pages may use this server from a browser (CORS); none but its own unless told",
        "origins such as https://viewer.example:3000, separated by commas, or * for all",
        _origins,
    )
    ohif: Path | None = _setting(  # noqa: RUF009 - it is a field
        None, "folder of a build of OHIF, which is then served under /ohif/", "a path", _path
    )
    trusted_proxies: str = _setting(
        "",
        "proxies whose X-Forwarded-For names the client, for limits, the audit trail and the source of instances",
        "addresses or networks such as 127.0.0.1 or 10.0.0.0/8, separated by commas",
        _networks,
    )
    jpeg_quality: int = _setting(
        90, "quality of a rendered JPEG where the client names none", "a number from 1 to 100", _number(1, 100)
    )
    log_level: str = _setting(
        "info", "least serious messages that are logged", ", ".join(_LEVELS[:-1]) + " or " + _LEVELS[-1], _choice(*_LEVELS)
    )  # fmt: skip
    log_format: str = _setting(
        "text", "how a log line is written: for people, or one JSON object", " or ".join(_FORMATS), _choice(*_FORMATS)
    )
    limits: Limits = field(default=Limits())

    def to_json(self) -> str:
        """For a child process; `from_json` gives an equal object back."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        values = json.loads(text)
        paths = {key: None if (path := values.pop(key)) is None else Path(path) for key in _PATHS}
        return cls(**{**values, **paths, "limits": Limits(**values["limits"])})


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as people see it: its key (``limits.…`` for a limit), default, meaning, and what it takes."""

    key: str
    default: object
    doc: str
    expected: str
    parse: Callable[[object], Any]

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.replace(".", "_").upper()


def table() -> list[Described]:
    """Every setting in order, the limits last."""
    plain = [
        Described(f.name, f.default, f.metadata["doc"], f.metadata["expected"], f.metadata["parse"])
        for f in fields(Settings)
        if f.name != "limits"
    ]
    for name, default, reason in Limits.table():
        high = _SEQUENCE_DEPTH_CEILING if name == "sequence_depth_max" else _LIMIT_MAX
        expected = f"a number from 1 to {high}" if high != _LIMIT_MAX else "a number of at least 1"
        plain.append(Described("limits." + name, default, reason, expected, _number(1, high)))
    return plain


@dataclass(frozen=True, slots=True)
class Loaded:
    """`origins`: key → ``default``, ``file PATH``, ``environment VOXCAST_X`` or ``command line``."""

    settings: Settings
    origins: dict[str, str]


def load(*, config: Path | None, environ: Mapping[str, str], command_line: Mapping[str, object]) -> Loaded:
    """Put the settings together.

    Parameters
    ----------
    config : Path, optional
        TOML file; without it, the file that ``VOXCAST_CONFIG`` names. A relative path in it is relative to the file.
    command_line : mapping
        Key → value; None for what was not given.

    Raises
    ------
    InvalidParameter
        An unknown key (the nearest known one is named), a value out of its range, an unreadable file, or a front end
        that other machines could reach: there is no access control yet.
    """
    known = {described.key: described for described in table()}
    values: dict[str, Any] = {key: described.default for key, described in known.items()}
    origins = dict.fromkeys(known, "default")

    def take(key: str, name: str, value: object, origin: str) -> None:
        try:
            values[key] = known[key].parse(value)
        except (ValueError, TypeError):
            raise InvalidParameter(name, str(value), f"{known[key].expected} ({origin})") from None
        origins[key] = origin

    if config is None and environ.get(PREFIX + "CONFIG"):
        config = Path(environ[PREFIX + "CONFIG"])
    if config is not None:
        for key, value in _read_toml(config).items():
            if key not in known:
                raise _unknown(key, value, f"file {config}", list(known))
            take(key, key, value, f"file {config}")
            if key in _PATHS:
                values[key] = config.parent / values[key]
    variables = {described.variable: key for key, described in known.items()}
    for name, value in environ.items():
        if name.startswith(PREFIX) and not name.startswith(_NOT_SETTINGS):
            if name not in variables:
                raise _unknown(name, value, "environment", list(variables))
            take(variables[name], name, value, f"environment {name}")
    for key, value in command_line.items():
        if value is not None:
            if key not in known:
                raise _unknown(key, value, "command line", list(known))
            take(key, "--" + key.replace("_", "-"), value, "command line")
    limits = Limits(**{key[len("limits.") :]: value for key, value in values.items() if key.startswith("limits.")})
    settings = Settings(**{key: value for key, value in values.items() if "." not in key}, limits=limits)
    _check_reach(settings)
    return Loaded(settings, origins)


def _read_toml(path: Path) -> dict[str, object]:
    """Key → value, with ``[limits]`` flattened to ``limits.…``."""
    import tomllib

    try:
        tables = tomllib.loads(path.read_text("utf_8"))
    except OSError as error:
        raise InvalidParameter("config", str(path), f"a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter("config", str(path), f"a TOML file ({error})") from None
    flat: dict[str, object] = {}
    for key, value in tables.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        elif key != "limits" or value != {}:
            flat[key] = value
    return flat


def _unknown(name: str, value: object, origin: str, known: list[str]) -> InvalidParameter:
    import difflib

    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return InvalidParameter(name, str(value), f"a setting that exists; the nearest is {nearest} ({origin})")


def _check_reach(settings: Settings) -> None:
    for key, text in (("http", settings.http), ("dicom", settings.dicom)):
        where = endpoint(text)
        if where is not None and not is_loopback(where[0]):
            raise InvalidParameter(
                key,
                text,
                "a loopback address (127.0.0.1, [::1] or localhost): voxcast has no access control yet, so it refuses"
                " to listen where other machines reach it; put a reverse proxy that checks who asks in front of it",
            )
