"""Pictures of frames as an answer: one bare, several in parts, or all in one animation (PS3.18 8.7.4, 10.4.1.1.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.archive.rows import resource
from engine.dicom.cine import Cine, still_pictures
from engine.dicom.segmentation import LABEL_MAP_SEGMENTATION, is_segmentation
from engine.errors import TooLarge
from engine.imaging.spec import RenderSpec
from engine.stream.animated import CLOSING, Animation, cine_in, common_window
from engine.stream.frames import GIF
from engine.stream.presented import Additions, PresentedService
from engine.stream.video import without_pixels
from engine.types import Buffer
from engine.web.addresses import root_of
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import accepted
from engine.web.passport import learn
from engine.web.render_parameters import Wish
from engine.web.sending import begin, is_known, send
from engine.web.services import TIMINGS, on, services

PRESENTED: web.AppKey[PresentedService] = web.AppKey("presented", PresentedService)
NO_ADDITIONS = Additions()
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept"}

Shown = tuple[InstanceRecord, int]  # an image and the index of one of its frames
_Make = Callable[[Shown, RenderSpec], Awaitable[bytes]]


async def send_pictures(
    request: web.Request,
    shown: Sequence[Shown],
    wish: Wish,
    state: InstanceRecord | None = None,
    *,
    is_small: bool = False,
) -> web.StreamResponse:
    """One picture bare, several in parts or, as GIF, in one animation; one of them at a time is in memory.

    Parameters
    ----------
    shown : not empty.
    state : the presentation state that the address names, which `shown` is of.
    is_small : thumbnails, on which segmentations of every kind have their segments' colours.

    Raises
    ------
    Everything that `FrameService.rendered` and `PresentedService.rendered` do, of the first picture; when a later one fails, the
    answer has begun and is cut.
    """
    for record, _ in shown:
        if record.frame_table is None:
            raise without_pixels(record)
    additions = _additions(request, wish, state)
    frames = [(record.data_set_sha256.hex(), index) for record, index in shown]
    identity = (frames, wish, additions.identity, is_small)
    headers = dict(HEADERS)
    if additions.is_of_named_bytes:
        headers["ETag"] = picture_etag(*identity)
        if is_known(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
    presented, plain, timings = request.app[PRESENTED], services(request).frames, request[TIMINGS]

    async def make(one: Shown, spec: RenderSpec) -> bytes:
        record, index = one
        if additions:
            return await presented.rendered(record, index, spec, additions, wish.media_type, wish.quality, timings)
        is_coloured = spec.window is None and is_in_colours(record, is_small)
        draw = presented.segments if is_coloured else plain.rendered
        return await draw(record, index, spec, wish.media_type, wish.quality, timings)

    spec, is_animation = wish.spec, wish.media_type == GIF and len(shown) > 1
    if is_animation and additions.state is None and not is_in_colours(shown[0][0], is_small):
        spec = replace(spec, window=spec.window or await common_window(plain, shown, spec, timings))
    # The first one before the status line: what cannot be shown at all is still an error with a name.
    first = await make(shown[0], spec)
    if len(shown) == 1 and not wish.in_parts:
        if not additions:
            learn(request, accepted(request))
        return web.Response(body=first, content_type=wish.media_type, headers=headers)
    boundary = boundary_for("pictures", *identity)
    if is_animation:
        pieces = _animated(shown, spec, first, await _cine(request, shown), make)
        if wish.in_parts:
            pieces = _in_one_part(boundary, wish.media_type, pieces)
    else:
        location = partial(_location, request) if state is None else None
        pieces = _in_parts(boundary, wish, shown, first, make, location)
    is_bare = is_animation and not wish.in_parts
    kind = wish.media_type if is_bare else content_type(wish.media_type, boundary)
    response = await begin(request, kind, None, headers)
    if request.method != "HEAD":
        async for piece in pieces:
            await send(response, piece)
    await response.write_eof()
    return response


def picture_etag(frames: list[tuple[str, int]], wish: object, additions: tuple[object, ...], is_small: bool) -> str:
    """Of pictures of these frames (hash of the data set, index): equal for equal bytes, whichever way they go."""
    return f'"{boundary_for("rendered", frames, wish, additions, is_small)}"'


def counted(request: web.Request, count: int) -> int:
    """The number of pictures of one answer; `TooLarge` beyond the limit."""
    limit = services(request).settings.limits.rendered_frames_max
    if count > limit:
        raise TooLarge("the number of pictures", count, limit, "limits.rendered_frames_max")
    return count


async def _in_parts(
    boundary: str,
    wish: Wish,
    shown: Sequence[Shown],
    first: bytes,
    make: _Make,
    location: Callable[[Shown], str] | None,
) -> AsyncIterator[Buffer]:
    for place, one in enumerate(shown):
        body = await make(one, wish.spec) if place else first
        yield part_head(boundary, wish.media_type, location(one) if location else "")
        yield body
        yield b"\r\n"
    yield closing(boundary)


async def _in_one_part(boundary: str, media_type: str, pieces: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    yield part_head(boundary, media_type)
    async for piece in pieces:
        yield piece
    yield b"\r\n" + closing(boundary)


async def _animated(
    shown: Sequence[Shown], spec: RenderSpec, first: bytes, cine: Cine, make: _Make
) -> AsyncIterator[Buffer]:
    animation = Animation(first, cine)
    yield animation.opening
    for place, one in enumerate(shown):
        picture = await make(one, spec) if place else first
        if not animation.fits(picture):
            width, height = animation.size
            picture = await make(one, replace(spec, width=width, height=height))
        yield animation.next(picture)
    yield CLOSING


async def _cine(request: web.Request, shown: Sequence[Shown]) -> Cine:
    """The time of each picture: of frames of one image what it says of them."""
    record, s = shown[0][0], services(request)
    if any(other is not record for other, _ in shown):
        return still_pictures(len(shown))
    whole = await on(request, s.executors.read, "read", partial(cine_in, s.archive, record))
    return Cine(tuple(whole.frame_ms[index] for _, index in shown), whole.is_looping)


def is_in_colours(record: InstanceRecord, is_small: bool) -> bool:
    """Whether a segmentation is shown in its segments' colours: a mask is seen as it is, numbers of labels are near black."""
    descriptor = record.frame_descriptor
    if is_small:
        return is_segmentation(record.sop_class_uid)
    return record.sop_class_uid == LABEL_MAP_SEGMENTATION and descriptor is not None and descriptor.is_monochrome


def _additions(request: web.Request, wish: Wish, state: InstanceRecord | None) -> Additions:
    """The records that the query names; `InstanceNotFound` for one that is not here."""
    archive = services(request).archive
    with request[TIMINGS].step("read"):
        if wish.presentation_uid:
            state = archive.instance(wish.presentation_uid, series_uid=wish.presentation_series_uid)
        segmentations = tuple(archive.instance(uid) for uid in wish.segmentation_uids)
    return Additions(state=state, segmentations=segmentations, opacity=wish.opacity, captions=wish.captions)


def _location(request: web.Request, one: Shown) -> str:
    record, index = one
    where = resource(record.study_instance_uid, record.series_instance_uid, record.sop_instance_uid)
    return f"{root_of(request)}{where}/frames/{index + 1}/rendered"
