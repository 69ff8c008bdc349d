"""The DICOM front end (PS3.7, PS3.8): association requests in, statuses out.

`lobby` (connections that say nothing yet) → `acceptor.DicomAcceptor` → `negotiation` → `association` over `transport`
→ `services` → C-STORE: `store` → `ingest.Acceptor`; the others: `find`, `retrieve`, `composite`, `worklist`, `performed`,
`commitment` → `status`: the one table from error class to DIMSE status
What we send: `delivery` → `sender` → `outgoing`, over a `requestor`'s association
"""
