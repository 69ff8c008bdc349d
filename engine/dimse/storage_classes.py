"""Storage SOP classes beside those of today's standard: retired ones, and private or newer ones, where the settings take them."""

from __future__ import annotations

from collections.abc import Collection

from pydicom.uid import UID, UID_dictionary

from engine.settings import ANY_CLASS, RETIRED_CLASSES

_NOT_STORAGE = ("Commitment", "Directory")  # they have the word in their names, and are other services


def is_taken(uid: str, taken: Collection[str]) -> bool:
    """Whether `taken`, the setting `storage_classes`, has the SOP class `uid`; those of the standard are always taken.

    Of what the standard knows only storage is; an unknown UID is whatever its sender says.
    """
    if uid in taken:
        return True
    if uid in UID_dictionary:
        if not _is_storage(uid):
            return False
        return ANY_CLASS in taken or (RETIRED_CLASSES in taken and UID(uid).is_retired)
    return ANY_CLASS in taken and UID(uid).is_valid


def _is_storage(uid: str) -> bool:
    name, kind = UID_dictionary[uid][:2]
    return kind == "SOP Class" and "Storage" in name and not any(word in name for word in _NOT_STORAGE)
