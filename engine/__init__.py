"""voxcast: a PACS engine. Bytes come in through `ingest`, are kept by `archive`, and go out through `stream` and `web`.

modality, folder, client → dimse, cli, web → ingest → archive → codec → imaging → stream → web, dimse → reader
"""

__version__ = "0.1.0"
