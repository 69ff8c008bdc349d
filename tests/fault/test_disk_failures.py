"""Fault injection at the N-th call: each write, allocation, truncation and sync of a store, a spool and a deletion fails once.

A shim in front of the C library counts the calls of Python and of LMDB alike and lets the N-th fail. After each failure,
everything that was acknowledged is there, `verify` is clean, and the index can be built again.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int left = 0, fired = 0;
static int error_number = 0;

void inject_arm(int nth, int error) { fired = 0; error_number = error; left = nth; }
int inject_fired(void) { return fired; }

/* Is this the call that fails? Only the N-th after arming does; what follows works again, as after a moment of trouble. */
static int fails(void) {
    if (left <= 0 || atomic_fetch_sub(&left, 1) != 1) return 0;
    fired = 1;
    errno = error_number;
    return 1;
}

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)
typedef ssize_t (*rw_t)(int, const void *, size_t, off_t);
typedef ssize_t (*rwv_t)(int, const struct iovec *, int, off_t);
typedef int (*fd_t)(int);
typedef int (*fdoff_t)(int, off_t);
typedef int (*alloc_t)(int, off_t, off_t);

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) {
    REAL("pwrite64", rw_t);
    if (fails()) { if (n > 1000) real(fd, p, n / 2, at); errno = error_number; return -1; }  /* torn */
    return real(fd, p, n, at);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return pwrite64(fd, p, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) {
    REAL("pwritev64", rwv_t);
    if (fails()) { if (n > 1) real(fd, v, n / 2, at); errno = error_number; return -1; }
    return real(fd, v, n, at);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { return pwritev64(fd, v, n, at); }
int fdatasync(int fd) { REAL("fdatasync", fd_t); return fails() ? -1 : real(fd); }
int fsync(int fd) { REAL("fsync", fd_t); return fails() ? -1 : real(fd); }
int ftruncate64(int fd, off_t n) { REAL("ftruncate64", fdoff_t); return fails() ? -1 : real(fd, n); }
int ftruncate(int fd, off_t n) { return ftruncate64(fd, n); }
int posix_fallocate64(int fd, off_t at, off_t n) {
    REAL("posix_fallocate64", alloc_t);
    return fails() ? error_number : real(fd, at, n);
}
int posix_fallocate(int fd, off_t at, off_t n) { return posix_fallocate64(fd, at, n); }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("g++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler for the shim in front of the C library")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(
        [compiler, "-x", "c", "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", folder / "shim.c", "-ldl"],
        check=True,
    )
    return folder / "shim.so"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: it is the calls that fail here, and each of a thousand syncs takes its time."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_call_may_fail_once(shim: Path, folder: Path, number: int) -> None:
    done = subprocess.run(
        [sys.executable, __file__, str(folder), str(number)],
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    # One store of several, a new segment, a spool, a duplicate, a conflict, a deletion, an erasure: dozens of calls.
    assert len(outcomes) > 40
    assert not outcomes[-1]["fired"]
    assert all(one["fired"] for one in outcomes[:-1])
    assert {one["problem"] for one in outcomes} == {""}
    refused = {fault for one in outcomes for fault in one["faults"]}
    assert refused <= {"ArchiveFull", "ArchiveReadOnly"}
    assert ("ArchiveFull" if number == errno.ENOSPC else "ArchiveReadOnly") in refused


# -- what runs behind the shim


def _scenario(path: Path, nth: int, number: int) -> dict[str, object]:
    from archives import LIMITS, assert_reindex_is_equal, incoming, problems, spooled
    from data import make_instance

    from engine.archive.archive import Archive
    from engine.errors import ArchiveFault, InstanceNotFound

    shim = ctypes.CDLL(None)
    archive = Archive.open(path, LIMITS)
    kept: dict[str, bytes] = {}
    deleted: set[str] = set()
    attempted: set[str] = set()  # deletions that failed: the instance may be there or not, but not in part
    faults: list[str] = []

    def instance(i: int) -> bytes:
        return make_instance(f"1.2.3.4.{i}", number=i, rows=150, columns=100)

    def store(*numbers: int, by_spool: bool = False) -> None:
        contents = [instance(i) for i in numbers]
        batch = []
        try:
            for i, content in zip(numbers, contents, strict=True):
                batch.append(spooled(archive, content, i) if by_spool else incoming(content, i))
            archive.store(batch)
            kept.update({f"1.2.3.4.{i}": c for i, c in zip(numbers, contents, strict=True)})
        except ArchiveFault as fault:
            faults.append(type(fault).__name__)
            for one in batch:
                if by_spool:
                    one.content.drop()  # type: ignore[union-attr]

    def delete(i: int) -> None:
        uid = f"1.2.3.4.{i}"
        try:
            archive.delete(sop_uid=uid)
            kept.pop(uid, None)
            deleted.add(uid)
        except InstanceNotFound:
            pass
        except ArchiveFault as fault:
            attempted.add(uid)
            faults.append(type(fault).__name__)

    shim.inject_arm(nth, number)
    store(1, 2, 3)
    store(4, 5, 6, 7, 8, 9, 10)  # fills the first segment: it is sealed, another is begun
    store(11, by_spool=True)
    store(1, 12)
    delete(2)
    try:
        archive.upkeep().erase_due(0)
    except ArchiveFault as fault:
        faults.append(type(fault).__name__)
    store(13, 14, 15)
    store(16, by_spool=True)
    fired = bool(shim.inject_fired())
    shim.inject_arm(0, 0)
    archive.close()

    archive = Archive.open(path, LIMITS)
    found = problems(archive)
    problem = "; ".join(found)
    for uid, content in kept.items():
        try:
            if archive.read(archive.instance(uid)) != content:
                problem += f" {uid} has other bytes"
        except InstanceNotFound:
            if uid not in attempted:
                problem += f" {uid} was acknowledged and is not there"
    for uid in deleted:
        if archive.versions(uid):
            problem += f" {uid} was deleted and is there"
    archive.store([incoming(instance(99), 99)])  # a restart takes writes again
    archive.upkeep().erase_due(0)  # and goes on with what was begun
    archive.close()
    assert_reindex_is_equal(path)
    return {"nth": nth, "fired": fired, "faults": faults, "problem": problem}


def _main(folder: Path, number: int) -> None:
    for nth in range(1, 500):
        path = folder / f"{nth}"
        outcome = _scenario(path, nth, number)
        print(json.dumps(outcome), flush=True)
        shutil.rmtree(path)
        if not outcome["fired"]:
            return


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
