"""Files of another transfer syntax than the stored one, for `voxcast export`; what is in the archive stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from engine.archive.archive import Archive
from engine.archive.outgoing import AsStored, Convert, Outgoing, file_name
from engine.archive.records import InstanceRecord
from engine.codec.encoding.base import Loss
from engine.codec.encoding.registry import ENCODERS
from engine.codec.transcode import Transcoding
from engine.dicom.frame import FrameDescriptor
from engine.dicom.instance import StoredInstance
from engine.errors import InvalidParameter
from engine.limits import Limits
from engine.types import Buffer

# In PS3.6, but newer than some releases of pydicom.
_NEWER = {"JPEGXLLossless": "1.2.840.10008.1.2.4.110", "JPEGXL": "1.2.840.10008.1.2.4.112"}


def converter(transfer_syntax: str, quality: int, near: int, limits: Limits) -> Convert:
    """What `export` makes its files by.

    Parameters
    ----------
    transfer_syntax : a UID, or its keyword in PS3.6 (``JPEGLSLossless``).

    Raises
    ------
    InvalidParameter : there is no such syntax, or it cannot lose in this way.
    """
    uid, loss = transfer_syntax_uid(transfer_syntax), Loss(quality, near)
    ENCODERS[uid].described(_grey(uid), loss)  # what is wrong for every image is said before the first

    def convert(archive: Archive, record: InstanceRecord) -> Outgoing:
        if record.transfer_syntax_uid == uid and not ENCODERS[uid].is_lossy(loss):
            return AsStored(archive, record)
        return Converted(archive, record, uid, loss, limits)

    return convert


def transfer_syntax_uid(text: str) -> str:
    """The UID of a transfer syntax that can be written."""
    from pydicom import uid as uids  # 0.7 s

    found = text if text in ENCODERS else _NEWER.get(text) or str(getattr(uids, text, ""))
    if found not in ENCODERS:
        newer = {uid: keyword for keyword, uid in _NEWER.items()}
        known = ", ".join(newer.get(one) or uids.UID(one).keyword for one in ENCODERS)
        raise InvalidParameter("transfer-syntax", text, f"a UID, or one of {known}")
    return found


def _grey(transfer_syntax_uid: str) -> FrameDescriptor:
    """The plainest of images, which every coder takes."""
    return FrameDescriptor(
        transfer_syntax_uid=transfer_syntax_uid,
        sop_class_uid="",
        modality="OT",
        rows=1,
        columns=1,
        number_of_frames=1,
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        high_bit=7,
        pixel_representation=0,
        planar_configuration=0,
        photometric_interpretation="MONOCHROME2",
    )


class Converted:
    """See `archive.outgoing.Outgoing`. Its compressed frames are in a file without a name until `close`."""

    def __init__(
        self, archive: Archive, record: InstanceRecord, transfer_syntax_uid: str, loss: Loss, limits: Limits
    ) -> None:
        self.record = record
        source = StoredInstance(record, record.location.length, partial(archive.read, record), limits)
        self._work = Transcoding(source, transfer_syntax_uid, limits, loss)
        try:
            for _ in self._work.steps():
                pass
        except BaseException:
            self._work.close()
            raise
        self.length, self.sop_instance_uid = self._work.length, self._work.sop_instance_uid
        self.transfer_syntax_uid = self._work.transfer_syntax_uid
        self.name = file_name(record, self.sop_instance_uid)

    def check(self) -> None:
        """Native pixels are decoded as they are written; all else is done."""
        for _ in self._work.pieces():
            pass

    def pieces(self) -> Iterator[Buffer]:
        return self._work.pieces()

    def close(self) -> None:
        self._work.close()
