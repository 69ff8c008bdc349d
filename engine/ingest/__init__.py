"""Any door → one accept path → durable.

`Acceptor.submit` (bytes) or `SpoolWriter` (a stream of unknown size) → scan and hash on the caller's thread
→ a bounded queue → the one committer thread: `Archive.store`, one sync and one commit for all that wait → the answer
`importer`: files, folders, zip, tar and DICOMDIR as entries, and what became of each
"""
