"""RFC 9110 13 and 14, PS3.18 8.4: a client that lost its connection fetches the rest, of instances and of whole series."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from data import make_instance
from serving import Serving

AT = "/dicom-web/studies/1.2.3/series/1.2.3.4"
# The second one is past the size from which the kernel sends.
CONTENTS = [
    make_instance("1.2.3.4.1", number=1, rows=16, columns=16),
    make_instance("1.2.3.4.2", number=2, rows=600, columns=600),
    make_instance("1.2.3.4.3", number=3, rows=16, columns=16),
    make_instance("1.2.3.4.4", number=4, rows=400, columns=400, frames=2),
]
INSTANCE, SERIES = f"{AT}/instances/1.2.3.4.2", AT
FRAME, FRAMES = f"{INSTANCE}/frames/1", f"{AT}/instances/1.2.3.4.4/frames/2,1,2"
BARE, PARTS = "application/dicom", 'multipart/related; type="application/dicom"'
BARE_FRAME, FRAME_PARTS = (
    "application/octet-stream",
    'multipart/related; type="application/octet-stream"; transfer-syntax=*',
)
# JPEG Lossless, so that a body that is made for the request is there, too.
MADE = 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.70'
RESOURCES = pytest.mark.parametrize(
    ("path", "accept"),
    [
        (INSTANCE, BARE),
        (INSTANCE, PARTS),
        (SERIES, PARTS),
        (FRAME, BARE_FRAME),
        (FRAME, FRAME_PARTS),
        (FRAME, MADE),
        (FRAMES, FRAME_PARTS),
    ],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*CONTENTS).status_code == 200
        yield running


@RESOURCES
@pytest.mark.clause("PS3.18 8.4")
def test_a_range_is_a_slice_of_the_whole(server: Serving, path: str, accept: str) -> None:
    whole = server.get(path, accept)
    total = len(whole.content)
    assert total > 90_000
    assert (whole.status_code, whole.headers["Accept-Ranges"]) == (200, "bytes")
    for first, last in ((0, 0), (0, total - 1), (100, 700), (300, 80_000), (total - 5, total - 1)):
        part = server.get(path, accept, Range=f"bytes={first}-{last}", If_Range=whole.headers["ETag"])
        assert part.status_code == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{total}"
        assert part.headers["Content-Type"] == whole.headers["Content-Type"]
        assert part.content == whole.content[first : last + 1]
    assert server.get(path, accept, Range="bytes=-9").content == whole.content[-9:]
    assert server.get(path, accept, Range=f"bytes={total - 9}-").content == whole.content[-9:]


@RESOURCES
def test_what_gets_the_whole(server: Serving, path: str, accept: str) -> None:
    whole = server.get(path, accept)
    for headers in (
        {"Range": "bytes=0-1", "If_Range": '"of-something-else"'},
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=6-5"},
        {"Range": "instances=1-2"},
    ):
        answer = server.get(path, accept, **headers)
        assert (answer.status_code, answer.content) == (200, whole.content), headers


@RESOURCES
def test_behind_the_end(server: Serving, path: str, accept: str) -> None:
    total = int(server.get(path, accept).headers["Content-Length"])
    answer = server.get(path, accept, Range=f"bytes={total}-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{total}")
    assert answer.headers["Content-Type"] == "application/problem+json"


@RESOURCES
def test_known_bytes_are_not_sent_again(server: Serving, path: str, accept: str) -> None:
    tag = server.get(path, accept).headers["ETag"]
    # RFC 9110 13.2.2: If-None-Match stands above Range.
    for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=99999999-"}):
        answer = server.get(path, accept, If_None_Match=tag, **headers)
        assert (answer.status_code, answer.content) == (304, b"")


@RESOURCES
def test_head_has_the_headers_of_the_whole(server: Serving, path: str, accept: str) -> None:
    whole = server.get(path, accept)
    head = server.session.head(server.url + path, headers={"Accept": accept, "Range": "bytes=0-1"}, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]


def test_a_download_that_broke_goes_on(server: Serving) -> None:
    whole = server.get(INSTANCE, BARE)
    assert whole.content == CONTENTS[1]
    have = whole.content[:1000]
    while len(have) < len(whole.content):
        step = f"bytes={len(have)}-{len(have) + 99_999}"
        part = server.get(INSTANCE, BARE, Range=step, If_Range=whole.headers["ETag"])
        assert part.status_code == 206
        have += part.content
    assert have == CONTENTS[1]
