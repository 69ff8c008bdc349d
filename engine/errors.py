"""Every error that voxcast raises on purpose; the tree says who must act.

::

    EngineError
    ├── InvalidInput                the sender must act
    │   ├── NotDicom                no Part 10 data set can be read from these bytes
    │   ├── TruncatedDataSet        the bytes end before the data set does
    │   ├── MalformedDataSet        lengths or structure contradict each other
    │   ├── MissingUid              an instance without a usable SOP Instance, Study or Series UID
    │   ├── InvalidParameter        a query, address or setting that cannot be understood
    │   ├── UnknownLevel            a query at a level that its information model has not
    │   ├── MissingKey              a retrieval that does not say of what
    │   ├── UnsatisfiableRange      a byte range behind the end of what is there
    │   ├── OtherStudy              sent to the address of a study that it does not belong to
    │   ├── BadBulkData             metadata and the parts sent beside it do not fit together
    │   ├── MissingAttribute, MissingAttributeValue, InvalidAttributeValue, UnexpectedAttribute
    │   │                           a worklist item or performed procedure step breaks the rules of its module
    │   ├── StepExists, PerformedStepExists
    │   ├── StepUnderWay            a scheduled step that somebody performs at this moment
    │   ├── PerformedStepEnded      completed or discontinued: it may no longer be updated
    │   ├── InvalidFrameList        a list of frames to retrieve that breaks its rules
    │   └── BadFrame                a frame's code stream does not hold what the header claims
    ├── Unsupported                 by design or not yet
    │   ├── UnsupportedTransferSyntax
    │   ├── UnsupportedPixels       a stored form or photometric interpretation that no pipeline takes
    │   ├── NotMultiFrame           frames of an instance that is no multi-frame image
    │   ├── NotExtractable          frames that cannot be an instance of their own
    │   ├── NoFrameTimes            frames by their time, where the header tells none
    │   ├── UnsupportedPresentation a presentation state or segmentation that cannot be applied
    │   └── NotAcceptable           no offered media type can be made from what is stored
    ├── NotFound
    │   ├── StudyNotFound, SeriesNotFound, InstanceNotFound, FrameNotFound
    │   ├── StepNotFound, PerformedStepNotFound
    │   ├── NoPixels                the instance has no pixel data at all
    │   ├── ChangesGone             changes that are no longer kept, or were never of this index
    │   └── OutboxEntryNotFound     nothing in the outbox has this number (any more)
    ├── LimitExceeded               later, or smaller
    │   ├── TooLarge                one thing is larger than its limit
    │   └── TooBusy                 a bounded queue is full
    ├── PeerFault                   another system must act
    │   └── PeerUnavailable         it cannot be reached, does not answer, or rejects us
    └── ArchiveFault                the operator must act
        ├── ArchiveFull             no space left; nothing acknowledged is lost
        ├── ArchiveReadOnly         a write failed earlier; restart after the disk was looked at
        ├── ArchiveLocked           another server has this archive
        ├── CorruptInstance         stored bytes no longer have their hash
        ├── WorklistMismatch        worklist.lmdb has another schema, or cannot be read
        ├── IndexMismatch           the index has another schema, or contradicts the segments
        ├── OutboxDamaged           what was waiting to be sent cannot be read
        └── CommitmentsDamaged      requests for storage commitment cannot be read

Leaves carry fields and make their message from them. No patient name or patient ID is ever part of a message.
`web/errors.py` and `dimse/status.py` map every leaf to a status; a test demands each leaf in both.
"""

from __future__ import annotations


class EngineError(Exception):
    """Root of the tree; never raised itself."""


class InvalidInput(EngineError):
    """The sender must act."""


class NotDicom(InvalidInput):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not DICOM: {reason}")


class TruncatedDataSet(InvalidInput):
    def __init__(self, needed: int, have: int, where: str = "") -> None:
        self.needed, self.have, self.where = needed, have, where
        super().__init__(f"truncated: {needed} bytes are needed{' by ' + where if where else ''}, {have} are there")


class MalformedDataSet(InvalidInput):
    def __init__(self, reason: str, offset: int | None = None) -> None:
        self.reason, self.offset = reason, offset
        super().__init__(f"malformed data set{'' if offset is None else f' at byte {offset}'}: {reason}")


class MissingUid(InvalidInput):
    def __init__(self, keyword: str) -> None:
        self.keyword = keyword
        super().__init__(f"{keyword} is missing or empty, so the instance cannot be filed")


class InvalidParameter(InvalidInput):
    def __init__(self, name: str, value: str, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        super().__init__(f"{name}={value!r} is not understood; expected {expected}")


class UnknownLevel(InvalidInput):
    def __init__(self, level: str, levels: tuple[str, ...]) -> None:
        self.level, self.levels = level, levels
        super().__init__(f"the Query/Retrieve Level is {level!r}, not one of {', '.join(levels)}")


class MissingKey(InvalidInput):
    def __init__(self, keyword: str, level: str) -> None:
        self.keyword, self.level = keyword, level
        super().__init__(f"the identifier has no {keyword}, which a retrieval at level {level} needs")


class UnsatisfiableRange(InvalidInput):
    def __init__(self, value: str, total: int) -> None:
        self.value, self.total = value, total
        super().__init__(f"the range {value!r} is behind the end of {total} bytes")


class OtherStudy(InvalidInput):
    def __init__(self, sop_class_uid: str, sop_instance_uid: str, study_instance_uid: str) -> None:
        self.sop_class_uid, self.sop_instance_uid = sop_class_uid, sop_instance_uid
        self.study_instance_uid = study_instance_uid
        super().__init__(f"instance {sop_instance_uid} belongs to study {study_instance_uid}, not to the address's")


class BadBulkData(InvalidInput):
    def __init__(self, uri: str, reason: str) -> None:
        self.uri, self.reason = uri, reason
        super().__init__(f"bulk data {uri[:200]}: {reason}")


class MissingAttribute(InvalidInput):
    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        super().__init__(f"{attribute} is missing")


class MissingAttributeValue(InvalidInput):
    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        super().__init__(f"{attribute} has no value")


class InvalidAttributeValue(InvalidInput):
    """The value itself is not told: it may be a name."""

    def __init__(self, attribute: str, expected: str) -> None:
        self.attribute, self.expected = attribute, expected
        super().__init__(f"the value of {attribute} is none that it can have; expected {expected}")


class UnexpectedAttribute(InvalidInput):
    def __init__(self, attribute: str, reason: str) -> None:
        self.attribute, self.reason = attribute, reason
        super().__init__(f"{attribute} cannot be here: {reason}")


class StepExists(InvalidInput):
    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        super().__init__(
            f"a step with this Study Instance UID and Scheduled Procedure Step ID is there already: {step_id}"
        )


class PerformedStepExists(InvalidInput):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"performed procedure step {sop_instance_uid} is there already")


class StepUnderWay(InvalidInput):
    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        super().__init__(f"step {step_id} is IN PROGRESS; it can be removed when it has ended")


class PerformedStepEnded(InvalidInput):
    def __init__(self, sop_instance_uid: str, state: str) -> None:
        self.sop_instance_uid, self.state = sop_instance_uid, state
        super().__init__(f"performed procedure step {sop_instance_uid} is {state} and may no longer be updated")


class InvalidFrameList(InvalidInput):
    def __init__(self, keyword: str, expected: str) -> None:
        self.keyword, self.expected = keyword, expected
        super().__init__(f"{keyword} must be {expected}")


class BadFrame(InvalidInput):
    def __init__(self, transfer_syntax_uid: str, reason: str) -> None:
        self.transfer_syntax_uid, self.reason = transfer_syntax_uid, reason
        super().__init__(f"a frame stored as {transfer_syntax_uid} cannot be decoded: {reason}")


class Unsupported(EngineError):
    """By design, or not yet; the message says which."""


class UnsupportedTransferSyntax(Unsupported):
    def __init__(self, transfer_syntax_uid: str, purpose: str = "decode", reason: str = "") -> None:
        self.transfer_syntax_uid, self.purpose, self.reason = transfer_syntax_uid, purpose, reason
        why = f" (by design: {reason})" if reason else ""
        super().__init__(f"transfer syntax {transfer_syntax_uid} is kept and passed on, but not {purpose}d{why}")


class UnsupportedPixels(Unsupported):
    def __init__(self, what: str, purpose: str = "shown") -> None:
        self.what, self.purpose = what, purpose
        super().__init__(f"pixels of this kind are kept and passed on, but not {purpose}: {what}")


class NotMultiFrame(Unsupported):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"instance {sop_instance_uid} is no multi-frame image: no frames can be taken out of it")


class NotExtractable(Unsupported):
    def __init__(self, sop_instance_uid: str, why: str) -> None:
        self.sop_instance_uid, self.why = sop_instance_uid, why
        super().__init__(f"frames of instance {sop_instance_uid} cannot be an instance of their own: {why}")


class NoFrameTimes(Unsupported):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"the header of instance {sop_instance_uid} does not tell the times of its frames")


class UnsupportedPresentation(Unsupported):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"kept and passed on, but not applied to an image: {what}")


class NotAcceptable(Unsupported):
    def __init__(self, asked: str, offered: tuple[str, ...]) -> None:
        self.asked, self.offered = asked, offered
        super().__init__(f"cannot answer as {asked!r}; can as {', '.join(offered)}")


class NotFound(EngineError):
    """What was asked for is not in the archive."""


class StudyNotFound(NotFound):
    def __init__(self, study_instance_uid: str) -> None:
        self.study_instance_uid = study_instance_uid
        super().__init__(f"no study {study_instance_uid}")


class SeriesNotFound(NotFound):
    def __init__(self, series_instance_uid: str) -> None:
        self.series_instance_uid = series_instance_uid
        super().__init__(f"no series {series_instance_uid}")


class InstanceNotFound(NotFound):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"no instance {sop_instance_uid}")


class FrameNotFound(NotFound):
    def __init__(self, sop_instance_uid: str, frame_number: int, number_of_frames: int) -> None:
        self.sop_instance_uid, self.frame_number, self.number_of_frames = (
            sop_instance_uid,
            frame_number,
            number_of_frames,
        )
        super().__init__(f"instance {sop_instance_uid} has frames 1 to {number_of_frames}, not {frame_number}")


class StepNotFound(NotFound):
    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        super().__init__(f"no scheduled procedure step {step_id}")


class PerformedStepNotFound(NotFound):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"no performed procedure step {sop_instance_uid}")


class NoPixels(NotFound):
    def __init__(self, sop_instance_uid: str) -> None:
        self.sop_instance_uid = sop_instance_uid
        super().__init__(f"instance {sop_instance_uid} has no pixel data")


class ChangesGone(NotFound):
    def __init__(self, since: int, first: int, last: int) -> None:
        self.since, self.first, self.last = since, first, last
        super().__init__(
            f"there are changes since {first} up to {last}, not since {since}; read the archive anew, then follow from {last}"
        )


class OutboxEntryNotFound(NotFound):
    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"nothing in the outbox has the number {number}; it was sent or cancelled, or never there")


class LimitExceeded(EngineError):
    """Try later, or send less."""


class TooLarge(LimitExceeded):
    def __init__(self, what: str, value: int, limit: int, setting: str) -> None:
        self.what, self.value, self.limit, self.setting = what, value, limit, setting
        super().__init__(f"{what} is {value}, the limit {setting} is {limit}")


class TooBusy(LimitExceeded):
    def __init__(self, queue: str, retry_after_s: int = 1) -> None:
        self.queue, self.retry_after_s = queue, retry_after_s
        super().__init__(f"the {queue} queue is full; try again in {retry_after_s} s")


class PeerFault(EngineError):
    """Another system must act."""


class PeerUnavailable(PeerFault):
    """`step`: where it went wrong: connect, tls, reject, context, answer."""

    def __init__(self, peer: str, why: str, step: str = "answer") -> None:
        self.peer, self.why, self.step = peer, why, step
        super().__init__(f"the peer {peer} {why}")


class ArchiveFault(EngineError):
    """The operator must act."""


class ArchiveFull(ArchiveFault):
    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"no space left in archive {path}; nothing acknowledged is lost; free space, then send again")


class ArchiveReadOnly(ArchiveFault):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"archive {path} takes no more writes ({reason}); look at the disk, then restart")


class ArchiveLocked(ArchiveFault):
    def __init__(self, path: str, holder: str = "") -> None:
        self.path, self.holder = path, holder
        super().__init__(f"archive {path} is already served{' by ' + holder if holder else ''}; stop that server first")


class CorruptInstance(ArchiveFault):
    def __init__(self, sop_instance_uid: str, where: str) -> None:
        self.sop_instance_uid, self.where = sop_instance_uid, where
        super().__init__(f"instance {sop_instance_uid} at {where} no longer has the bytes that were acknowledged")


class WorklistMismatch(ArchiveFault):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"worklist.lmdb of archive {path} cannot be used ({reason}); put back its backup, or move it away to begin anew"
        )


class IndexMismatch(ArchiveFault):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"the index of archive {path} cannot be used ({reason}); run `voxcast reindex --archive {path}`"
        )


class OutboxDamaged(ArchiveFault):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"the outbox of archive {path} cannot be used ({reason}); move outbox.lmdb away to go on with an empty one:"
            " what was waiting in it will not be sent"
        )


class CommitmentsDamaged(ArchiveFault):
    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"the commitments of archive {path} cannot be used ({reason}); move commitments.lmdb away to go on with none:"
            " who waits for a result in it will not get one"
        )
