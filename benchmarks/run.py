"""The whole comparison: voxcast beside Orthanc and nginx on the same files in the same run (`make bench` runs this).

    python -m benchmarks.run [--quick] [--only NAME]... [--keep] [--out NAME]
    python -m benchmarks.run --page benchmarks/results/run.json      the result as the table of docs/benchmarks.md

All servers run at once and are asked in turn, a few requests at a time, so that a disturbance hits them alike; only the rows
with several connections and those of storing load one server while the others idle. What each row measures and its traps
are at the top of `serving`, `storing`, `starting`, `client` and `peers`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import measure, serving, storing
from benchmarks.stage import Stage
from benchmarks.starting import starting

# In this order: searches first, while the index holds a few studies; the end stops the servers.
CASES: dict[str, Callable[[Stage], None]] = {
    "rendered": serving.rendered,
    "thumbnail": serving.thumbnail,
    "frames": serving.frames,
    "qido": serving.qido,
    "metadata": serving.metadata,
    "storing": storing.storing,
    "starting": starting,
}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: made by `python -m benchmarks.run --page` -->", "<!-- end of results -->"


def main(arguments: list[str] | None = None) -> int:
    """0: measured; 1: a server failed or gave a wrong answer."""
    options = _options(arguments)
    if options.page:
        PAGE.write_text(with_results(PAGE.read_text(), json.loads(options.page.read_text())))
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that no server is left behind
    folder = Path(tempfile.mkdtemp(prefix="voxcast-bench-"))
    report = measure.Report(options.out, "voxcast beside Orthanc and nginx, same files, same run")
    stage = Stage(folder, report, options.quick, 160 if options.quick else 300)
    try:
        print(f"making {stage.slices} CT slices, and the same as JPEG 2000 …", file=sys.stderr)
        stage.make_files()
        print("filling and starting the servers …", file=sys.stderr)
        stage.start()
        for name, case in CASES.items():
            if not options.only or name in options.only:
                case(stage)
    finally:
        stage.close()
        if options.keep:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.finish()
    return 0


def with_results(page: str, document: dict[str, object]) -> str:
    """The page with the table between its two marks made new."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the page has no place for results")
    return before + BEGIN + "\n" + _results(document) + "\n" + END + after


def _results(document: dict[str, object]) -> str:
    machine, versions = dict(document["machine"]), dict(document["versions"])  # type: ignore[call-overload]
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    rows = measure.rows_from_json(document)
    notes = [f"- {row.name}: {row.note}" for row in rows if row.note]
    return "\n".join(
        (
            f"{document['began']}, {machine['cores']} cores of {machine['cpu']}, {machine['system']}, "
            f"Python {machine['python']}, load {machine['load_before']:.1f} before and {machine['load_after']:.1f} after. {said}.",
            "",
            measure.markdown(rows),
            *(("", *notes) if notes else ()),
        )
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer files and rounds: about two minutes, wider intervals"
    )
    parser.add_argument("--only", action="append", choices=list(CASES), help="this group of rows only; may be repeated")
    parser.add_argument(
        "--keep", action="store_true", help="do not delete the temporary folder (files, logs, archives)"
    )
    parser.add_argument("--out", default="run", help="name of the files in benchmarks/results")
    parser.add_argument("--page", type=Path, metavar="JSON", help="write this result into docs/benchmarks.md and end")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
