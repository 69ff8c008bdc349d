"""Those that take what is sent: a pynetdicom SCP that does as it is told, DCMTK's storescp, Orthanc."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import requests
from pynetdicom import AE, evt
from pynetdicom.presentation import AllStoragePresentationContexts

from engine.dicom.transfer_syntax import TABLE
from engine.peers import Peer

needs_storescp = pytest.mark.skipif(
    shutil.which("storescp") is None, reason="DCMTK's storescp is not installed (dcmtk)"
)
ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin") or ""
needs_dcmqrscp = pytest.mark.skipif(
    shutil.which("dcmqrscp") is None, reason="DCMTK's dcmqrscp is not installed (dcmtk)"
)
needs_orthanc = pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed (orthanc)")
_START_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver:
    """A pynetdicom SCP; ``with Receiver() as there:``. It notes what comes, and answers as `answer` says.

    Attributes
    ----------
    taken : SOP Instance UID and bytes of the data set of each C-STORE that was answered with success, in order.
    asked : SOP Instance UIDs of every C-STORE.
    transfer_syntaxes : in which they came.
    answer : called with the event; gives the status. May sleep, or abort by ``event.assoc.abort()``.
    associations : that were accepted so far.
    """

    def __init__(
        self, transfer_syntaxes: Sequence[str] = tuple(TABLE), aet: str = "THERE", port: int = 0, maximum: int = 10
    ) -> None:
        self.aet, self.port = aet, port or free_port()
        self.taken: list[tuple[str, bytes]] = []
        self.asked: list[str] = []
        self.transfer_syntaxes: list[str] = []
        self.requests: list[Any] = []
        self.associations = 0
        self.answer: Callable[[Any], int] = lambda event: 0x0000
        self._lock = threading.Lock()
        self._ae = AE(aet)
        self._ae.maximum_associations = maximum
        self._ae.maximum_pdu_size = 128 * 1024
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(str(context.abstract_syntax), list(transfer_syntaxes))

    def __enter__(self) -> Receiver:
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store), (evt.EVT_ACCEPTED, self._accepted)]
        self._server = self._ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()

    def _accepted(self, event: Any) -> None:
        with self._lock:
            self.associations += 1

    def _store(self, event: Any) -> int:
        uid, data = str(event.request.AffectedSOPInstanceUID), event.request.DataSet.getvalue()
        with self._lock:
            self.asked.append(uid)
            self.requests.append(event.request)
            self.transfer_syntaxes.append(str(event.context.transfer_syntax))
        status = self.answer(event)
        if status == 0 and event.assoc.is_established:
            with self._lock:
                self.taken.append((uid, data))
        return status

    def peer(self, name: str = "THERE", **more: Any) -> Peer:
        return Peer(name=name, aet=self.aet, host="127.0.0.1", port=self.port, **more)

    def uids(self) -> list[str]:
        with self._lock:
            return [uid for uid, _ in self.taken]


class Storescp:
    """DCMTK's storescp, which writes to a folder. `options` such as ``+xi`` (implicit only), ``--refuse``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.port, self._options = folder, free_port(), options
        self.aet = "STORESCP"
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Storescp:
        command = ["storescp", "-aet", self.aet, "-od", str(self.folder), *self._options, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: _listens(self.port), "storescp listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def peer(self, name: str = "STORESCP", **more: Any) -> Peer:
        return Peer(name=name, aet=self.aet, host="127.0.0.1", port=self.port, **more)

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


class Orthanc:
    """Debian's Orthanc, with its DICOM and HTTP ports; `modalities` are those that it calls: name → AE title, host and port."""

    def __init__(
        self, folder: Path, modalities: Mapping[str, tuple[str, str, int]] | None = None, port: int = 0
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._http, self._folder = port or free_port(), free_port(), folder
        config = {
            "Name": "test", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
            "HttpPort": self._http, "DicomPort": self.port, "DicomAet": "ORTHANC", "DicomAlwaysAllowStore": True,
            "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomCheckCalledAet": False,
            "UnknownSopClassAccepted": True, "Plugins": [], "DicomModalities": dict(modalities or {}),
        }  # fmt: skip
        self._config = folder / "orthanc.json"
        self._config.write_text(json.dumps(config))

    def __enter__(self) -> Orthanc:
        self._process = subprocess.Popen(
            [ORTHANC, str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder
        )
        wait_until(lambda: _listens(self._http) and _listens(self.port), "Orthanc listens")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def peer(self, name: str = "ORTHANC", **more: Any) -> Peer:
        return Peer(name=name, aet="ORTHANC", host="127.0.0.1", port=self.port, **more)

    def uids(self) -> list[str]:
        """SOP Instance UIDs that it has."""
        return sorted(one["MainDicomTags"]["SOPInstanceUID"] for one in self.get("/instances?expand").json())

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self._http}{path}", timeout=30)

    def post(self, path: str, body: object) -> Any:
        """The answer in JSON; bytes go as they are. Fails where it is none of success."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = requests.post(f"http://127.0.0.1:{self._http}{path}", data=data, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def delete_all(self) -> None:
        for one in self.get("/patients").json():
            requests.delete(f"http://127.0.0.1:{self._http}/patients/{one}", timeout=30).raise_for_status()

    def files(self) -> dict[str, bytes]:
        """Part 10 file of each instance that it has, by SOP Instance UID."""
        return {
            one["MainDicomTags"]["SOPInstanceUID"]: self.get(f"/instances/{one['ID']}/file").content
            for one in self.get("/instances?expand").json()
        }


class DcmQrScp:
    """DCMTK's dcmqrscp: an archive that stores, finds, moves and gets. `peers`: AE title → host and port, of those it moves to."""

    aet = "QRSCP"

    def __init__(self, folder: Path, peers: Mapping[str, tuple[str, int]] | None = None, port: int = 0) -> None:
        self.folder, self.port = folder / "db", port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        hosts = "".join(f"p{n} = ({aet}, {host}, {at})\n" for n, (aet, (host, at)) in enumerate((peers or {}).items()))
        self._config = folder / "dcmqrscp.cfg"
        self._config.write_text(
            f"NetworkTCPPort = {self.port}\nMaxPDUSize = 65536\nMaxAssociations = 8\nHostTable BEGIN\n{hosts}"
            f"HostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\n{self.aet} {self.folder} RW (100, 1024mb) ANY\n"
            "AETable END\n"
        )

    def __enter__(self) -> DcmQrScp:
        self._process = subprocess.Popen(
            ["dcmqrscp", "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: _listens(self.port), "dcmqrscp listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.name != "index.dat")


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = _START_S) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]
