"""The one table from error class to DIMSE status (PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5, C.4.3.1.4, PS3.7 annex C)."""

from __future__ import annotations

from engine import errors as e

SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING, PENDING_WITHOUT_SOME_KEYS = 0xFF00, 0xFF01
NO_SUCH_SOP_CLASS, NOT_AUTHORIZED, UNRECOGNIZED_OPERATION = 0x0118, 0x0124, 0x0211
SUB_OPERATIONS_FAILED, SUB_OPERATIONS_WARNING = 0xA702, 0xB000
UNKNOWN_DESTINATION = 0xA801
_OUT_OF_RESOURCES = 0xA700
_DOES_NOT_MATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000
_PROCESSING_FAILURE = 0x0110

# Leaves of engine/errors.py; a test demands every one.
STATUS: dict[type[e.EngineError], int] = {
    e.NotDicom: _CANNOT_UNDERSTAND,
    e.TruncatedDataSet: _CANNOT_UNDERSTAND,
    e.MalformedDataSet: _CANNOT_UNDERSTAND,
    e.MissingUid: _CANNOT_UNDERSTAND,
    e.InvalidParameter: _CANNOT_UNDERSTAND,
    e.UnknownLevel: _DOES_NOT_MATCH,
    e.MissingKey: _DOES_NOT_MATCH,
    e.UnsatisfiableRange: _CANNOT_UNDERSTAND,
    e.OtherStudy: _DOES_NOT_MATCH,
    e.BadBulkData: _CANNOT_UNDERSTAND,
    e.MissingAttribute: 0x0120,
    e.MissingAttributeValue: 0x0121,
    e.InvalidAttributeValue: 0x0106,
    e.UnexpectedAttribute: 0x0105,  # no such attribute
    e.StepExists: 0x0111,
    e.PerformedStepExists: 0x0111,  # duplicate SOP instance
    e.StepUnderWay: _PROCESSING_FAILURE,
    e.PerformedStepEnded: _PROCESSING_FAILURE,  # PS3.4 F.7.2.2.4
    e.InvalidFrameList: 0xAA04,  # PS3.4 Y.4.1.1.4, Y.4.2.1.4, as the next three and FrameNotFound
    e.BadFrame: _CANNOT_UNDERSTAND,
    e.UnsupportedTransferSyntax: 0xC122,  # PS3.4 table CC.2.3-1 names the same code for retrieval
    e.UnsupportedPixels: _CANNOT_UNDERSTAND,
    e.NotMultiFrame: 0xAA01,
    e.NotExtractable: 0xAA02,
    e.NoFrameTimes: 0xAA03,
    e.UnsupportedPresentation: _CANNOT_UNDERSTAND,
    e.NotAcceptable: _CANNOT_UNDERSTAND,
    e.StudyNotFound: _PROCESSING_FAILURE,
    e.SeriesNotFound: _PROCESSING_FAILURE,
    e.InstanceNotFound: _PROCESSING_FAILURE,
    e.FrameNotFound: 0xAA00,
    e.StepNotFound: _PROCESSING_FAILURE,
    e.PerformedStepNotFound: 0x0112,  # no such SOP instance
    e.NoPixels: _PROCESSING_FAILURE,
    e.ChangesGone: _PROCESSING_FAILURE,
    e.OutboxEntryNotFound: _PROCESSING_FAILURE,
    e.TooLarge: _OUT_OF_RESOURCES,
    e.TooBusy: _OUT_OF_RESOURCES,
    e.ArchiveFull: _OUT_OF_RESOURCES,
    e.ArchiveReadOnly: _OUT_OF_RESOURCES,
    e.ArchiveLocked: _OUT_OF_RESOURCES,
    e.PeerUnavailable: _PROCESSING_FAILURE,
    e.CorruptInstance: _PROCESSING_FAILURE,
    e.WorklistMismatch: _PROCESSING_FAILURE,
    e.IndexMismatch: _PROCESSING_FAILURE,
    e.OutboxDamaged: _OUT_OF_RESOURCES,
    e.CommitmentsDamaged: _OUT_OF_RESOURCES,
}


def status_of(error: BaseException) -> int:
    """Never success: an error without a line here is a processing failure."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), _PROCESSING_FAILURE)
