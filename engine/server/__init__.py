"""The composition root: processes that meet only in the archive folder, and the supervisor that starts them again.

`supervisor.serve` → opens the ports (`listening`) → starts `web_worker` × N, `dicom_acceptor`, `background`, `sender`
and, when all are ready, `rendition_worker` (what it makes next: `rendition_queue`)
(`child`: how a process learns what it is for, says that it is ready, ends with its parent) → one ready line → restarts what dies
"""
