"""Every limit, with its reason and the setting that changes it; checked before anything is allocated (invariant 5).

The README's table of limits is made from `LIMITS`. A limit without a setting is a constant of the format.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

KIB, MIB, GIB = 1024, 1024**2, 1024**3


def _limit(default: int, reason: str) -> int:
    return field(default=default, metadata={"reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All limits; one frozen instance lives in `Settings.limits`, the setting is ``limits.<field>``."""

    # data set
    sequence_depth_max: int = _limit(64, "deepest real object seen nests 12 levels; recursion must stay bounded")
    elements_max: int = _limit(5_000_000, "a whole-slide image with 100 000 frames has about 3 million elements")
    header_bytes_max: int = _limit(256 * MIB, "header bytes held in memory while one instance is scanned")
    json_value_bytes_max: int = _limit(64 * KIB, "binary values longer than this are given as BulkDataURI")
    inflated_bytes_max: int = _limit(1 * GIB, "a deflated data set expands up to 1000-fold; this bounds the bomb")
    frames_max: int = _limit(2_000_000, "entries in one frame table, 16 bytes each")
    # pixels
    frame_bytes_max: int = _limit(2 * GIB, "decoded bytes of one frame")
    video_still_s_max: int = _limit(10, "seconds of decoding for one still of a video that has to be counted to")
    video_remux_s_max: int = _limit(60, "seconds to make an MP4 file of a stored video; some hundred MB a second")
    video_files_bytes_max: int = _limit(
        8 * GIB,
        "MP4 files of a web worker that were made of videos; the one not used for longest goes when it is reached",
    )
    rendered_pixels_max: int = _limit(64 * 1024 * 1024, "width × height of one rendered image")
    icc_profile_bytes_max: int = _limit(16 * MIB, "one ICC profile; those of slide scanners reach 13 MB")
    # presentation states and segmentations
    presentation_bytes_max: int = _limit(
        16 * MIB, "header of a presentation state or segmentation that is applied; each MiB takes a second to read"
    )
    annotation_items_max: int = _limit(20_000, "layers, graphics, texts and references in one presentation state")
    graphic_points_max: int = _limit(1_000_000, "points of all graphics and shutters in one presentation state")
    graphic_points_shown_max: int = _limit(
        50_000, "points and letters drawn over one image; each may be a line across it"
    )
    annotation_text_max: int = _limit(4096, "characters of one text; Unformatted Text Value is ST, 1024 at most")
    segments_shown_max: int = _limit(512, "segments blended over one image; a whole-body segmentation has some 120")
    # archive
    segment_bytes: int = _limit(1 * GIB, "a segment is sealed at this size: what one compaction rewrites")
    spool_bytes: int = _limit(16 * MIB, "larger instances stream into a segment of their own, never through memory")
    instance_bytes_max: int = _limit(64 * GIB, "one instance")
    disk_reserve_bytes: int = _limit(
        64 * MIB, "left free by instances, so that a full archive can still delete and commit"
    )
    changes_max: int = _limit(500_000, "changes kept in the feed, some 300 bytes each")
    changes_days_max: int = _limit(90, "days that a change is kept in the feed")
    # renditions
    rendition_bytes_max: int = _limit(
        20 * GIB, "all packs of renditions; those not used for longest go when it is reached"
    )
    rendition_reserve_bytes: int = _limit(2 * GIB, "left free on the disk by renditions, for what is not derived")
    rendition_frames_max: int = _limit(20_000, "frames of one series that renditions are made of")
    rendition_frame_bytes_max: int = _limit(
        256 * MIB, "decoded bytes of a frame that a rendition is made of; four times as much is in memory meanwhile"
    )
    # worklist
    worklist_steps_max: int = _limit(200_000, "scheduled procedure steps kept, some 5 KB each with their keys")
    worklist_step_bytes_max: int = _limit(64 * KIB, "one scheduled procedure step as JSON; usual ones have 3 KB")
    worklist_days_max: int = _limit(
        400, "days that scheduled and performed procedure steps are kept behind their date and their last change"
    )
    worklist_request_steps_max: int = _limit(1_000, "scheduled procedure steps in one request to /api/worklist")
    performed_steps_max: int = _limit(1_000_000, "performed procedure steps kept")
    performed_step_bytes_max: int = _limit(
        16 * MIB, "one performed procedure step as JSON; 50 000 references to images have some 10 MB"
    )
    # ingest
    accept_queue_bytes_max: int = _limit(32 * MIB, "bytes of instances waiting for their group commit, one process")
    group_commit_max: int = _limit(128, "instances in one group commit: bounds the wait of the first sender")
    archive_entries_max: int = _limit(1_000_000, "members in one imported zip or tar file")
    archive_expansion_max: int = _limit(200, "unpacked to packed bytes of a zip member, beyond the first 64 MiB")
    # web
    request_header_bytes_max: int = _limit(16 * KIB, "one HTTP header line")
    request_head_s_max: int = _limit(20, "seconds for the headers of one request to come")
    request_body_s_max: int = _limit(
        60, "seconds of waiting for a body that bring nothing, or less than 270 bytes each"
    )
    stow_bytes_max: int = _limit(64 * GIB, "body of one STOW request; parts are streamed")
    stow_instances_max: int = _limit(100_000, "instances in one STOW request")
    metadata_bytes_max: int = _limit(
        64 * MIB, "one JSON or XML document of metadata that is stored; 5000 headers of a CT have some 50 MiB"
    )
    metadata_values_max: int = _limit(4_000_000, "values, lists and objects in one such document; 0.1 to 0.3 KB each")
    sorted_rows_max: int = _limit(100_000, "matches that a search sorts by an attribute which has no keys")
    query_results_max: int = _limit(10_000, "matches in one QIDO answer; page with limit and offset")
    frames_per_request_max: int = _limit(1_000, "frames in one frame-list request")
    rendered_frames_max: int = _limit(
        10_000, "pictures or documents in one rendered answer of a study, a series or a whole image"
    )
    requests_max: int = _limit(512, "requests under way in one worker process")
    client_requests_max: int = _limit(64, "requests under way for one client address")
    waiting_clients_max: int = _limit(256, "clients that wait for changes in one worker process")
    changes_per_answer_max: int = _limit(10_000, "changes in one answer; read on from its last")
    # stream
    stream_sessions_max: int = _limit(256, "sessions of the stream in one worker process")
    stream_series_max: int = _limit(64, "series open in one session; a frame takes some 60 bytes in each session")
    stream_viewports_max: int = _limit(64, "viewports in one session")
    stream_in_flight_bytes_max: int = _limit(
        8 * MIB, "bytes sent to one session and not acknowledged: 1 Gbit/s with a round trip of 60 ms"
    )
    stream_answers_bytes_max: int = _limit(
        1 * MIB, "answers that wait for a client of a session to read; beyond, it is heard no more until it does"
    )
    stream_word_bytes_max: int = _limit(4 * MIB, "one word of a client; what it holds of 200 000 frames")
    stream_words_per_s_max: int = _limit(5_000, "words of one session read in a second; more of them wait")
    # dimse
    associations_max: int = _limit(50, "associations at once; each costs a thread")
    pdu_bytes_max: int = _limit(128 * KIB, "largest PDU offered and taken")
    association_idle_s_max: int = _limit(60, "seconds without a message before an association is aborted")
    association_total_s_max: int = _limit(
        86_400, "seconds from its beginning after which an association is aborted, whatever it does"
    )
    caller_associations_max: int = _limit(
        25, "associations at once of one peer, or of one address without a peer; the rest are for others"
    )
    association_request_s_max: int = _limit(15, "seconds from a connection to its whole association request (ARTIM)")
    association_request_bytes_max: int = _limit(
        256 * KIB, "one association request; 128 contexts of 40 transfer syntaxes have some 230 KB"
    )
    waiting_connections_max: int = _limit(256, "connections that have not sent their association request yet")
    operations_max: int = _limit(16, "operations of one association at once, where it negotiates several")
    peer_connect_s_max: int = _limit(10, "seconds for another system to take a connection of ours")
    # sending
    outbox_instances_max: int = _limit(2_000_000, "instances that wait to be sent, some 0.5 KB each")
    outbox_retry_s_max: int = _limit(7 * 86_400, "seconds of failing after which an entry of the outbox is given up")
    outbox_backoff_s_max: int = _limit(900, "longest pause, in seconds, before a peer that fails is called again")
    outbox_associations_max: int = _limit(16, "associations at once over which the outbox is sent; one thread each")
    # storage commitment
    commitments_max: int = _limit(10_000, "requests for storage commitment whose result was not reported yet")
    commitment_instances_max: int = _limit(2_000_000, "instances that these name, some 0.2 KB each")
    commitment_retry_s_max: int = _limit(7 * 86_400, "seconds after which a result that nobody takes is given up")

    @classmethod
    def table(cls) -> list[tuple[str, int, str]]:
        """Name, default and reason of every limit, in order; what the README shows."""
        return [(f.name, int(f.default), str(f.metadata["reason"])) for f in fields(cls)]  # type: ignore[arg-type]
