"""Which file of a file-set each instance becomes, and the DICOMDIR that lists them (PS3.10 section 8, PS3.12 annex V)."""

from __future__ import annotations

import io

from engine.archive.archive import Archive
from engine.archive.documents import instance_document
from engine.archive.outgoing import file_name
from engine.archive.records import InstanceRecord
from engine.dicom.dicomdir import DirectoryWriter
from engine.errors import MalformedDataSet


class FileSet:
    """Names for instances, in the order that they are added; one thread at a time.

    Parameters
    ----------
    is_listed : with a DICOMDIR, for which names have eight characters (``PT000001/ST000001/SE000001/IM000001``); without:
        ``Study/Series/SOP.dcm``.

    Attributes
    ----------
    unlisted : how many instances no directory record could be made of; their files are there, as PS3.12 V.1.1 allows.
    """

    def __init__(self, archive: Archive, *, is_listed: bool) -> None:
        self._archive = archive
        self._records = DirectoryWriter() if is_listed else None
        self.unlisted = 0

    def name(self, record: InstanceRecord, transfer_syntax_uid: str) -> str:
        """The name of the file that holds an instance in this transfer syntax; reads its header.

        Raises
        ------
        CorruptInstance, InstanceNotFound, TooLarge
        """
        if self._records is None:
            return file_name(record, record.sop_instance_uid)
        try:
            file_id = self._records.file_id(
                instance_document(self._archive, record),
                record.study_instance_uid,
                record.series_instance_uid,
                record.sop_instance_uid,
                transfer_syntax_uid,
            )
        except MalformedDataSet:
            self.unlisted += 1
            return f"UNLISTED/UL{self.unlisted:06d}"
        return "/".join(file_id)

    def dicomdir(self) -> bytes:
        """The DICOMDIR of all that have a name; empty without one. Raises TooLarge."""
        if self._records is None:
            return b""
        out = io.BytesIO()
        self._records.write(out)
        return out.getvalue()
