"""Which block of a private group belongs to whom, and room for who has none yet (PS3.5 7.8.1)."""

from __future__ import annotations

from engine.dicom.json_model import Attributes
from engine.errors import MalformedDataSet

_FIRST, _LAST = 0x10, 0xFF


class PrivateBlocks:
    """The private creators of one data set; those that it makes room for are put into it."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._block_of: dict[tuple[int, str], int] = {}
        self._owners: dict[tuple[int, int], str] = {}
        self._taken: set[tuple[int, int]] = set()
        for name, attribute in attributes.items():
            group, number = int(name[:4], 16), int(name[4:], 16)
            if not group & 1:
                continue
            if _FIRST <= number <= _LAST:
                self._taken.add((group, number))
                values = attribute.get("Value") or [None]
                if isinstance(values[0], str):
                    self._owners[group, number] = creator = values[0].strip(" ")
                    self._block_of.setdefault((group, creator), number)
            else:
                self._taken.add((group, number >> 8))  # used, although nobody has reserved it

    def place(self, tag: int, creator: str) -> int:
        """The tag of this creator's element: in the block that it has, else in the one the tag names, else in a free one.

        Only the last two digits of a tag are the creator's; writers put any block or ``00`` in front of them.
        """
        group, wanted = tag >> 16, tag >> 8 & 0xFF
        if self._owners.get((group, wanted)) == creator:  # who has several blocks says which
            return tag
        block = self._block_of.get((group, creator))
        if block is None:
            free = (wanted, *range(_FIRST, _LAST + 1))
            block = next((n for n in free if n >= _FIRST and (group, n) not in self._taken), None)
            if block is None:
                raise MalformedDataSet(f"no block of private group {group:04X} is free")
            self._taken.add((group, block))
            self._block_of[group, creator] = block
            self._attributes[f"{group:04X}{block:04X}"] = {"vr": "LO", "Value": [creator]}
        return group << 16 | block << 8 | tag & 0xFF
