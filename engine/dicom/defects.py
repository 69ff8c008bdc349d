"""What can be odd about an instance that is stored all the same: every code and what it means."""

from __future__ import annotations

DEFECTS: dict[str, str] = {
    "no-preamble": "File Meta Information without the 128-byte preamble (PS3.10 7.1)",
    "no-file-meta": "a bare data set; its transfer syntax was recognised from its first element",
    "file-meta-implicit": "File Meta Information in implicit VR; PS3.10 7.1 wants explicit",
    "no-transfer-syntax": "File Meta Information names no transfer syntax; recognised from the data set",
    "encoding-mismatch": "the data set is not encoded as its transfer syntax says; read as it is",
    "no-sop-class-uid": "SOP Class UID is missing in the data set; the File Meta Information's is used",
    "no-sop-instance-uid": "SOP Instance UID is missing in the data set; the File Meta's or one made from the bytes is used",
    "no-study-uid": "Study Instance UID is missing; filed under one derived from the series or instance",
    "no-series-uid": "Series Instance UID is missing; filed under one derived from the instance",
    "odd-uid": "a UID that PS3.5 9.1 does not allow",
    "data-set-damaged": "the structure breaks at this byte; attributes behind it are not known",
    "sequence-damaged": "the items of this sequence cannot be read",
    "functional-groups-wrong": "the number of per-frame items is not the number of frames",
    "text-undecodable": "characters that are not in the character set that the data set names",
    "number-invalid": "a decimal or integer string that is no number",
    "index-value-long": "a value too long to search by",
    "rescale-slope-zero": "Rescale Slope is 0 and was ignored",
    "trailing-bytes": "zero bytes behind the last element",
    "pixels-not-described": "rows, columns, bits or frames are missing or impossible; pixels are kept, not shown",
    "pixel-data-short": "there are fewer frames in the pixel data than the header claims",
    "pixel-data-long": "there is more in the pixel data than the header claims",
    "offset-table-wrong": "the offset table has no item, or does not point at fragments; frames were found without it",
    "encapsulated-without-fragments": "a compressed transfer syntax, but pixel data of defined length",
    "chrominance-not-subsampled": "4:2:2 by name, but with the bytes of every pixel's own chrominance; read so",
    "colour-contradicted": "the photometric interpretation is not what the code stream holds; shown as the code stream has it",
    "pixel-limit": "one frame is larger than limits.frame_bytes_max; kept, not shown",
}
