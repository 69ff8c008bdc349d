"""Every command and option of `voxcast`, and nothing else: each hands over to the module of its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine import __version__
from engine.cli.terminal import Terminal, exit_codes
from engine.settings import Loaded, load

# rich tracebacks show the values of variables: a data set must not end up in a bug report by itself
app = typer.Typer(
    name="voxcast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Every setting, its value and where it came from.", no_args_is_help=True)
app.add_typer(config_app, name="config")
renditions_app = typer.Typer(help="Packs of quickly decoded, progressive images.", no_args_is_help=True)
app.add_typer(renditions_app, name="renditions")
worklist_app = typer.Typer(help="What is planned: worklist files in, and a list.", no_args_is_help=True)
app.add_typer(worklist_app, name="worklist")
outbox_app = typer.Typer(help="What waits to be sent to other archives: a list, retry, cancel.", no_args_is_help=True)
app.add_typer(outbox_app, name="outbox")

ArchiveOption = Annotated[Path | None, typer.Option("--archive", metavar="DIR", help="Folder of the archive.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings in a TOML file.")]
SeriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[UID]...", help="UIDs of studies or series. [all]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout, nothing else.")]
HttpOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Web front end; port 0 picks a free one, or off. [127.0.0.1:8080]"),
]
DicomOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="DICOM front end, in the same way. [127.0.0.1:11112]")
]
AetOption = Annotated[str | None, typer.Option(metavar="TITLE", help="AE title of the DICOM front end. [VOXCAST]")]
WorkersOption = Annotated[int | None, typer.Option(metavar="N", help="Web worker processes. [one for two cores]")]


def _load(config: Path | None, needs_archive: bool = True, **command_line: object) -> Loaded:
    loaded = load(config=config, environ=os.environ, command_line=command_line)
    if needs_archive and loaded.settings.archive is None:
        hint = "it is needed; in VOXCAST_ARCHIVE or in the TOML file it would do as well"
        raise typer.BadParameter(hint, param_hint="--archive")
    return loaded


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"voxcast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say it and end.")
    ] = False,
) -> None:
    """A PACS engine: keeps DICOM images safely, finds them in milliseconds, streams the next frame first."""


@app.command()
def demo(
    data: Annotated[list[Path] | None, typer.Argument(help="Your own files or folders instead of the samples.")] = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the archive here when the demo ends.")] = None,
    http: HttpOption = None,
    dicom: DicomOption = None,
) -> None:
    """Fill a temporary archive with images, serve it, and say what to look at."""
    terminal = Terminal()
    with exit_codes(terminal):
        loaded = _load(None, False, http=http, dicom=dicom, archive=keep)
        from engine.cli.demo import run

        raise typer.Exit(run(loaded, data or [], keep, terminal))


@app.command()
def serve(
    archive: ArchiveOption = None,
    http: HttpOption = None,
    dicom: DicomOption = None,
    aet: AetOption = None,
    workers: WorkersOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve an archive over DICOMweb and DICOM until SIGTERM or Ctrl-C."""
    with exit_codes(Terminal()):
        loaded = _load(config, archive=archive, http=http, dicom=dicom, aet=aet, workers=workers)
        from engine.cli.serve import run

        raise typer.Exit(run(loaded.settings))


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, zip and tar files, DICOMDIR.")],
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Bring images in; safe to repeat, goes on where it stopped, works beside a running server."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.import_ import run

        raise typer.Exit(run(loaded.settings, paths, terminal))


@app.command()
def export(
    uids: Annotated[list[str], typer.Argument(help="UIDs of studies, series or instances.")],
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="Folder or zip file to write.")],
    form: Annotated[
        Literal["folder", "zip", "dicomdir"] | None,
        typer.Option(help="How. [zip where PATH ends in .zip, else folder]"),
    ] = None,
    transfer_syntax: Annotated[
        str,
        typer.Option(metavar="UID", help="Convert to this transfer syntax: a UID, or a keyword like JPEGLSLossless."),
    ] = "",
    quality: Annotated[int, typer.Option(help="With a loss, 1 to 100: JPEGBaseline8Bit, JPEG2000.")] = 0,
    near: Annotated[int, typer.Option(help="With a loss: the largest difference, JPEGLSNearLossless.")] = 0,
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write studies, series or instances as Part 10 files, each exactly as it came in unless a transfer syntax is given."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.export import run

        raise typer.Exit(run(loaded.settings, uids, to, form, transfer_syntax, quality, near, terminal))


@app.command()
def send(
    peer: Annotated[str, typer.Argument(help="Name of a peer in the settings.")],
    what: Annotated[
        list[str], typer.Argument(help="UIDs of studies, series or instances of the archive; files and folders.")
    ],
    priority: Annotated[Literal["high", "medium", "low"], typer.Option(help="What goes first.")] = "medium",
    queue: Annotated[
        bool, typer.Option("--queue", help="Put it into the outbox; a running server sends it, as often as it takes.")
    ] = False,
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send instances to another archive by C-STORE, each as it is stored where that archive takes it."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, False, archive=archive)
        from engine.cli.send import run

        raise typer.Exit(run(loaded.settings, peer, what, priority, queue, terminal))


@app.command()
def verify(
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every frame too, by two decoders; list where they differ.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read and hash every stored byte again; compare the index."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.verify import run

        raise typer.Exit(run(loaded.settings, terminal, decode))


@app.command()
def reindex(archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Build the index again from the segments alone."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.reindex import run

        raise typer.Exit(run(loaded.settings, terminal))


@app.command()
def stats(
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    defect: Annotated[str, typer.Option(metavar="CODE", help="List the instances that have this defect.")] = "",
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="List instances that share a UID but not bytes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What is stored: counts, sizes, transfer syntaxes, oldest and newest, conflicts, defects."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.stats import run

        raise typer.Exit(run(loaded.settings, defect, conflicts, terminal))


@app.command()
def echo(
    peer: Annotated[str, typer.Argument(help="Name of a peer in the settings, or AET@HOST:PORT.")],
    aet: AetOption = None,
    tls: Annotated[bool, typer.Option("--tls", help="Call AET@HOST:PORT with TLS.")] = False,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Signs its certificate (PEM). [the system's]")] = None,
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="Ours (PEM), where it wants one.")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Of our certificate (PEM).")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Ask another Application Entity whether it is there and takes us (C-ECHO); the exit code says how far that came."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, False, aet=aet)
        from engine.cli.echo import run

        raise typer.Exit(run(loaded.settings, peer, tls, ca, certificate, key, terminal))


@app.command()
def password(json: JsonOption = False) -> None:
    """Make the hash of a password for a [users.NAME] table; asks for it, or takes a line of standard input."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        from engine.cli.password import run

        raise typer.Exit(run(terminal))


@app.command()
def warmup(json: JsonOption = False) -> None:
    """Compile what draws pictures, once, so that no server does it at its first one; an installation step."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        from engine.cli.warmup import run

        raise typer.Exit(run(terminal))


@config_app.command("show")
def config_show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Every setting as a TOML file, with where each value came from."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        from engine.cli.config import show

        raise typer.Exit(show(_load(config, False), terminal))


@config_app.command("check")
def config_check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Whether a server would take these settings."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        from engine.cli.config import check

        raise typer.Exit(check(_load(config, False), terminal))


@worklist_app.command("import")
def worklist_import(
    paths: Annotated[list[Path], typer.Argument(help="Worklist files, and folders of files that end in .wl.")],
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take up the steps of worklist files; safe to repeat, works beside a running server."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.worklist import import_files

        raise typer.Exit(import_files(loaded.settings, paths, terminal))


@worklist_app.command("list")
def worklist_list(
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    day: Annotated[
        str, typer.Option("--date", metavar="DATE", help="A day, a range like 20260101-20260131, or today.")
    ] = "",
    station: Annotated[str, typer.Option(metavar="TITLE", help="Scheduled station AE title.")] = "",
    modality: Annotated[str, typer.Option(metavar="CODE", help="CT, MR, …")] = "",
    patient_id: Annotated[str, typer.Option(metavar="ID", help="Patient ID.")] = "",
    state: Annotated[
        list[str] | None, typer.Option(help="SCHEDULED, IN PROGRESS, COMPLETED or DISCONTINUED; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Scheduled procedure steps in the order in which they are due."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.worklist import show

        raise typer.Exit(show(loaded.settings, day, station, modality, patient_id, state or [], terminal))


@outbox_app.command("list")
def outbox_list(
    peer: Annotated[str, typer.Argument(help="Only what goes to this peer.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Also each instance that has failed, and why.")] = False,
    archive: ArchiveOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """How it goes with each peer, and what waits for it."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.outbox import show

        raise typer.Exit(show(loaded.settings, peer, failed, terminal))


WhatOption = Annotated[
    list[str], typer.Argument(metavar="WHAT...", help="Numbers of entries; names of peers for all of theirs.")
]


@outbox_app.command("retry")
def outbox_retry(
    what: WhatOption, archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Send at once, what was given up or has failed too."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.outbox import retry

        raise typer.Exit(retry(loaded.settings, what, terminal))


@outbox_app.command("cancel")
def outbox_cancel(
    what: WhatOption, archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Do not send what has not gone yet."""
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli.outbox import cancel

        raise typer.Exit(cancel(loaded.settings, what, terminal))


def _renditions(what: str, uids: list[str] | None, archive: Path | None, config: Path | None, json: bool) -> None:
    terminal = Terminal(json)
    with exit_codes(terminal):
        loaded = _load(config, archive=archive)
        from engine.cli import renditions

        work = {"list": renditions.show, "make": renditions.make, "drop": renditions.drop}[what]
        raise typer.Exit(work(loaded.settings, uids or [], terminal))


@renditions_app.command("list")
def renditions_list(
    uids: SeriesArgument = None, archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """What each pack has, why frames are served as they are stored, and what all of them take."""
    _renditions("list", uids, archive, config, json)


@renditions_app.command("make")
def renditions_make(
    uids: SeriesArgument = None, archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Make the packs that are missing now, beside a running server or without one."""
    _renditions("make", uids, archive, config, json)


@renditions_app.command("drop")
def renditions_drop(
    uids: SeriesArgument = None, archive: ArchiveOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Delete packs; nothing that is stored is touched."""
    _renditions("drop", uids, archive, config, json)
