"""Every setting, what it means, and where its value came from: command line over environment over TOML over defaults.

Built once by `load`, frozen, passed down; child processes get it as JSON. Imports nothing that an idle process must not
hold for years.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import setting_values as kinds
from engine.errors import InvalidParameter
from engine.forwarding import Rule, check_rules
from engine.limits import Limits
from engine.peers import PERMISSIONS, Peer, check_peers
from engine.setting_tables import Entry, keys_of, read_entry, restored
from engine.setting_values import endpoint, setting
from engine.tls_settings import DicomTls
from engine.users import User

PREFIX = "VOXCAST_"
_NOT_SETTINGS = (PREFIX + "CONFIG", PREFIX + "TEST_")  # the name of the TOML file, and what only tests read
ANY_TITLE = "*"  # in `called_aets`
RETIRED_CLASSES, ANY_CLASS = "retired", "any"  # in `storage_classes`
_LIMIT_MAX = 2**62  # the scanner takes unsigned 64-bit limits and adds to them
_SEQUENCE_DEPTH_CEILING = 512  # the scanner recurses: this many of its frames fit a 512 KiB thread stack


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


_HOST_PORT = "host:port such as 127.0.0.1:8080 or [::1]:8080 (port 0 picks a free one), or off"
_IDENTITIES = ("optional", "required")
_CONFLICTS = ("keep-first", "replace")
RENDITIONS = ("all", "asked", "off")
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process. Field metadata: what it means (`doc`), what it takes (`expected`)."""

    archive: Path | None = setting(  # noqa: RUF009 - it is a field
        None, "folder of the archive; made by the first that writes to it", "a path", kinds.path
    )
    http: str = setting("127.0.0.1:8080", "where the web front end listens", _HOST_PORT, kinds.endpoint_text)
    dicom: str = setting("127.0.0.1:11112", "where the DICOM front end listens", _HOST_PORT, kinds.endpoint_text)
    aet: str = setting(
        "VOXCAST",
        "AE title of the DICOM front end (PS3.5 6.2)",
        "1 to 16 printable ASCII characters, no backslash",
        kinds.ae_title,
    )
    workers: int = setting(
        0,
        "web worker processes; 0 is one for every two cores, at least one",
        "a number from 0 to 256",
        kinds.number(0, 256),
    )
    on_conflict: str = setting(
        "keep-first",
        "which instance is served when others arrive with its SOP Instance UID but other bytes; all are kept",
        " or ".join(_CONFLICTS),
        kinds.choice(*_CONFLICTS),
    )
    public_url: str = setting(
        "",
        "where clients reach this server through a proxy: RetrieveURL and BulkDataURI begin with it, and a request may name"
        " its host; without it addresses are those that the request names",
        "http:// or https://, a host, perhaps a port and a path, such as https://pacs.example/voxcast",
        kinds.public_url,
    )
    cors_origins: str = setting(
        "",
        "origins whose pages may use this server from a browser (CORS); none but its own unless told",
        "origins such as https://viewer.example:3000, separated by commas, or * for all",
        kinds.origins,
    )
    ohif: Path | None = setting(  # noqa: RUF009 - it is a field
        None, "folder of a build of OHIF, which is then served under /ohif/", "a path", kinds.path
    )
    trusted_proxies: str = setting(
        "",
        "proxies whose X-Forwarded-For names the client, for limits, the audit trail and the source of instances",
        "addresses or networks such as 127.0.0.1 or 10.0.0.0/8, separated by commas",
        kinds.networks,
    )
    congestion_control: str = setting(
        "",
        "how TCP finds the rate of web clients' lines, by the kernel's name for it: bbr where packets are lost on the air, cubic"
        " elsewhere; empty leaves the machine's own",
        "a name of at most 15 letters, digits and underscores, such as bbr or cubic",
        kinds.kernel_name,
    )
    jpeg_quality: int = setting(
        90, "quality of a rendered JPEG where the client names none", "a number from 1 to 100", kinds.number(1, 100)
    )
    renditions: str = setting(
        "all",
        "of which series packs of quickly decoded, progressive images are made in the background: all, newest first; those"
        " that somebody has asked for; or none",
        ", ".join(RENDITIONS[:-1]) + " or " + RENDITIONS[-1],
        kinds.choice(*RENDITIONS),
    )
    log_level: str = setting(
        "info", "least serious messages that are logged", ", ".join(_LEVELS[:-1]) + " or " + _LEVELS[-1], kinds.choice(*_LEVELS)
    )  # fmt: skip
    log_format: str = setting(
        "text",
        "how a log line is written: for people, or one JSON object",
        " or ".join(_FORMATS),
        kinds.choice(*_FORMATS),
    )
    called_aets: tuple[str, ...] = setting(
        (ANY_TITLE,),
        "AE titles beside our own that we may be called by; * is any",
        "a list of AE titles, or *",
        kinds.ae_titles,
    )
    unknown_callers: tuple[str, ...] | None = setting(
        None,
        "what Application Entities that are no peer may ask of us; with an empty list their associations are refused."
        " Where it is not set: everything from this machine, nothing from another",
        "a list of " + ", ".join(PERMISSIONS),
        kinds.some_of(*PERMISSIONS),
    )
    move_retry: bool = setting(
        True,
        "what a C-MOVE's destination cannot take at once waits in the outbox and is sent when it can",
        "true or false",
        kinds.flag,
    )
    storage_classes: tuple[str, ...] = setting(
        (),
        "storage SOP classes that are taken beside those of the standard",
        "a list of retired, any (private and newer ones too) and UIDs",
        kinds.words_or_uids(RETIRED_CLASSES, ANY_CLASS),
    )
    user_identity: str = setting(
        "optional",
        "whether callers say for which of the users they act (PS3.7 D.3.3.7); who says so is checked in any case",
        " or ".join(_IDENTITIES),
        kinds.choice(*_IDENTITIES),
    )
    users: tuple[User, ...] = field(default=())
    dicom_tls: DicomTls = field(default=DicomTls())
    limits: Limits = field(default=Limits())
    peers: tuple[Peer, ...] = field(default=())
    forward: tuple[Rule, ...] = field(default=())

    def to_json(self) -> str:
        """For a child process; `from_json` gives an equal object back."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        values = json.loads(text)
        limits, peers, rules, tls, users = (
            values.pop(key) for key in ("limits", "peers", "forward", "dicom_tls", "users")
        )
        return replace(
            restored(cls, values),
            dicom_tls=restored(DicomTls, tls),
            users=tuple(restored(User, one) for one in users),
            limits=Limits(**limits),
            peers=tuple(restored(Peer, one) for one in peers),
            forward=tuple(restored(Rule, one) for one in rules),
        )


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
        Described(prefix + f.name, f.default, f.metadata["doc"], f.metadata["expected"], f.metadata["parse"])
        for prefix, kind in (("", Settings), ("dicom_tls.", DicomTls))
        for f in keys_of(kind)
    ]
    for name, default, reason in Limits.table():
        high = _SEQUENCE_DEPTH_CEILING if name == "sequence_depth_max" else _LIMIT_MAX
        expected = f"a number from 1 to {high}" if high != _LIMIT_MAX else "a number of at least 1"
        plain.append(Described("limits." + name, default, reason, expected, kinds.number(1, high)))
    return plain


@dataclass(frozen=True, slots=True)
class Loaded:
    """`origins`: key (also ``peers.NAME.key``, ``forward.NAME.key``) → ``default``, ``file PATH``, ``environment VOXCAST_X`` or
    ``command line``.
    """

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
    peers: tuple[Peer, ...] = ()
    users: tuple[User, ...] = ()
    rules: tuple[Rule, ...] = ()
    of_entries: dict[str, str] = {}
    if config is not None:
        tables = _read_toml(config)
        peers, of_entries = _read_named(Peer, "peers", tables.pop("peers", {}), config)
        check_peers(peers)
        users, of_users = _read_named(User, "users", tables.pop("users", {}), config)
        of_entries |= of_users
        rules, of_rules = _read_rules(tables.pop("forward", []), config, peers)
        of_entries |= of_rules
        for key, value in _flat(tables).items():
            if key not in known:
                raise _unknown(key, value, f"file {config}", list(known))
            take(key, key, value, f"file {config}")
            if known[key].parse is kinds.path:
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
    try:
        tls = DicomTls(**_group(values, "dicom_tls."))
    except InvalidParameter as error:
        raise InvalidParameter(f"dicom_tls.{error.name}", error.value, error.expected) from None
    limits = Limits(**_group(values, "limits."))
    plain = {key: value for key, value in values.items() if "." not in key}
    settings = Settings(**plain, dicom_tls=tls, limits=limits, peers=peers, forward=rules, users=users)
    _check_reach(settings)
    return Loaded(settings, origins | of_entries)


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf_8"))
    except OSError as error:
        raise InvalidParameter("config", str(path), f"a readable file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter("config", str(path), f"a TOML file ({error})") from None


def _flat(tables: dict[str, Any]) -> dict[str, object]:
    """Key → value, with ``[limits]`` flattened to ``limits.…``."""
    flat: dict[str, object] = {}
    for key, value in tables.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        elif key not in ("limits", "dicom_tls") or value != {}:
            flat[key] = value
    return flat


def _group(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _read_named(
    kind: type[Entry], group: str, tables: object, config: Path
) -> tuple[tuple[Entry, ...], dict[str, str]]:
    """The ``[group.NAME]`` tables, and where each of their values came from."""
    if not isinstance(tables, dict):
        raise InvalidParameter(group, str(tables), f"tables such as [{group}.NAME] (file {config})")
    entries: list[Entry] = []
    origins: dict[str, str] = {}
    for name, table in tables.items():
        entry, of_entry = read_entry(kind, f"{group}.{name}", table, f"file {config}", config.parent, name=name)
        entries.append(entry)
        origins |= of_entry
    return tuple(entries), origins


def _read_rules(tables: object, config: Path, peers: tuple[Peer, ...]) -> tuple[tuple[Rule, ...], dict[str, str]]:
    """The ``[[forward]]`` tables in their order; their origins by ``forward.NAME.key``."""
    if not isinstance(tables, list):
        raise InvalidParameter("forward", str(tables), f"tables such as [[forward]] (file {config})")
    rules: list[Rule] = []
    origins: dict[str, str] = {}
    for at, table in enumerate(tables, 1):
        name = table.get("name", at) if isinstance(table, dict) else at
        rule, of_rule = read_entry(Rule, f"forward.{name}", table, f"file {config}", config.parent)
        rules.append(rule)
        origins |= of_rule
    check_rules(rules, peers)
    return tuple(rules), origins


def _unknown(name: str, value: object, origin: str, known: list[str]) -> InvalidParameter:
    import difflib

    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return InvalidParameter(name, str(value), f"a setting that exists; the nearest is {nearest} ({origin})")


def _check_reach(settings: Settings) -> None:
    """Secure as delivered: other machines reach us only once somebody has said who may do what."""
    if _is_reachable(settings.http):
        raise InvalidParameter(
            "http",
            settings.http,
            "a loopback address (127.0.0.1, [::1] or localhost): the web front end has no access control yet, so it refuses"
            " to listen where other machines reach it; put a reverse proxy that checks who asks in front of it",
        )
    for key, text in (("dicom", settings.dicom), ("dicom_tls.listen", settings.dicom_tls.listen)):
        if not _is_reachable(text) or settings.peers or settings.unknown_callers is not None:
            continue
        raise InvalidParameter(
            key,
            text,
            "a loopback address (127.0.0.1, [::1] or localhost), or access control: say who may call with [peers.NAME] tables,"
            " or what anybody may ask with unknown_callers",
        )

    demanding = [f"peers.{one.name}.needs_user" for one in settings.peers if one.needs_user]
    demanding += ["user_identity"] if settings.user_identity == "required" else []
    if demanding and not settings.users:
        raise InvalidParameter(
            demanding[0], "true" if "." in demanding[0] else "required", "[users.NAME] tables beside it"
        )
    for peer in settings.peers:
        if settings.dicom_tls.clients == "off" and (peer.tls_names or peer.tls_client_certificate) and not peer.host:
            key = "tls_names" if peer.tls_names else "tls_client_certificate"
            expected = 'nothing, for no caller shows a certificate with dicom_tls.clients = "off"'
            raise InvalidParameter(f"peers.{peer.name}.{key}", str(getattr(peer, key)), expected)


def _is_reachable(text: str) -> bool:
    where = endpoint(text)
    return where is not None and not is_loopback(where[0])
