"""The DICOM front end (PS3.7, PS3.8): association requests in, statuses out.

`acceptor.DicomAcceptor` → pynetdicom's server on an inherited socket → `store` (C-STORE bytes as received) → `ingest.Acceptor`
→ `status`: the one table from error class to DIMSE status
"""
