"""How rows are put in order by an attribute (what a key of the index cannot do)."""

from __future__ import annotations

from typing import Any

from engine.archive.secondary import texts
from engine.dicom.matching import NUMBER_VRS, folded
from engine.dicom.query import Order

Attributes = dict[str, Any]
Key = tuple[bool, float, str]


def sort_key(attributes: Attributes, order: Order) -> Key:
    """For `list.sort` with ``reverse=order.is_descending``: rows without the attribute come last both ways."""
    text = next((text for text in texts(attributes, order.tag) if text.strip()), None)
    if text is None:
        return (not order.is_descending, 0.0, "")
    number = 0.0
    if order.vr in NUMBER_VRS:
        try:
            number, text = float(text), ""
        except ValueError:
            number = 0.0
    return (order.is_descending, number, folded(text) if order.vr == "PN" else text)
