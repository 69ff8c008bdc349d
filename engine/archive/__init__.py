"""Keeps instances for years and finds them in milliseconds: tar segments, and an index that can be rebuilt from them.

`Archive.store` → `writing` → `ports.BlobStore.append` (one fdatasync) → `index.Indexer` (one commit) → the answer
`reading.Reading.instance` → one index get → `frame_bytes` → one pread
`segments`, `segment_writer`, `segment_file`, `member`: the files; `lmdb_engine`, `index`, `packing`, `secondary`: the index
`upkeep`: verify, compaction; `reindex`: the index from the segments alone; `documents`, `export`: ways out
`renditions`: packs of code streams that decode quickly, coarse before fine; derived
"""
