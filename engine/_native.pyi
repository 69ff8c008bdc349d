from collections.abc import Callable, Sequence
from typing import Any

class ScanError(Exception):
    args: tuple[int, str, int, int]

class Scanner:
    def __init__(
        self,
        tags: Sequence[tuple[int, int]],
        limits: Sequence[int],
        decode_text: Callable[[bytes, bytes, bool], tuple[str, bool]],
        inflate: Callable[[bytes, int], bytes],
    ) -> None: ...
    def scan(self, buffer: Any) -> tuple[Any, ...]: ...
    def scan_file(self, fd: int, offset: int, length: int) -> tuple[Any, ...]: ...
    def json(self, buffer: Any, bulk_data_uri: str, is_prefix: bool) -> bytes: ...
    def locate(self, fd: int, offset: int, length: int, path: Sequence[int]) -> tuple[int, int, bool, bytes] | None: ...
