"""Every error of ours has its line in both tables of statuses, and its message is made from its fields."""

from __future__ import annotations

import inspect

import pytest

from engine import errors
from engine.dimse import status
from engine.web import errors as web_errors


def leaves(kind: type[errors.EngineError] = errors.EngineError) -> list[type[errors.EngineError]]:
    below = kind.__subclasses__()
    return [leaf for one in below for leaf in leaves(one)] if below else [kind]


@pytest.mark.parametrize("leaf", leaves())
def test_each_leaf_is_in_both_tables(leaf: type[errors.EngineError]) -> None:
    assert leaf in web_errors.STATUS
    assert leaf in status.STATUS
    assert 400 <= web_errors.STATUS[leaf] <= 599
    assert status.STATUS[leaf] != status.SUCCESS
    names = [name for name in inspect.signature(leaf.__init__).parameters if name != "self"]
    assert names, "a leaf carries fields"


def test_the_tables_have_nothing_else() -> None:
    assert set(web_errors.STATUS) == set(leaves()) == set(status.STATUS)


def test_a_warning_header_cannot_be_broken_out_of() -> None:
    text = web_errors.warning('a "quote"\r\nSet-Cookie: x=\\ é')
    assert "\r" not in text
    assert "\n" not in text
    assert text.count('"') == 2
