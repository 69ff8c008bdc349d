"""A set of the positions of a series, which finds its nearest member on either side in a time that does not grow with it.

Bits in words of 1024, and one bit a word that says whether it holds any: a look to either side is at most two words and
their summary. Python's whole numbers do the rest (0.2 µs a look in a series of 5 000).
"""

from __future__ import annotations

_BITS = 10
_WORD = 1 << _BITS
_MASK = _WORD - 1
_ALL = (1 << _WORD) - 1
# Every fourth bit of a word, beginning at bit 0 to 3: a word's length is a multiple of four, so all words share them.
STRIDE = 4
_STRIDED = tuple(sum(1 << bit for bit in range(first, _WORD, STRIDE)) for first in range(STRIDE))
NONE = -1


class Places:
    """Positions from 0 to `count` - 1; all of them, or none, at first. Not for several threads."""

    __slots__ = ("_count", "_summary", "_words")

    def __init__(self, count: int, *, is_full: bool = False) -> None:
        self._count = count
        words = (count + _MASK) >> _BITS
        self._words = [_ALL if is_full else 0] * words
        self._summary = (1 << words) - 1 if is_full else 0
        if is_full and count & _MASK:
            self._words[-1] = (1 << (count & _MASK)) - 1

    def __bool__(self) -> bool:
        return self._summary != 0

    def __contains__(self, position: int) -> bool:
        return bool(self._words[position >> _BITS] >> (position & _MASK) & 1)

    def __len__(self) -> int:
        return sum(word.bit_count() for word in self._words)

    def add(self, position: int) -> None:
        """No harm when it is there."""
        index = position >> _BITS
        self._words[index] |= 1 << (position & _MASK)
        self._summary |= 1 << index

    def discard(self, position: int) -> None:
        """No harm when it is not there."""
        index = position >> _BITS
        word = self._words[index] & ~(1 << (position & _MASK))
        self._words[index] = word
        if not word:
            self._summary &= ~(1 << index)

    def at_or_after(self, position: int) -> int:
        """The first member that is not before `position` (0 or more); `NONE` without one."""
        if position >= self._count:
            return NONE
        index = position >> _BITS
        word = self._words[index] >> (position & _MASK)
        if word:
            return position + (word & -word).bit_length() - 1
        rest = self._summary >> (index + 1)
        if not rest:
            return NONE
        index += (rest & -rest).bit_length()
        word = self._words[index]
        return (index << _BITS) + (word & -word).bit_length() - 1

    def at_or_before(self, position: int) -> int:
        """The last member that is not behind `position`; `NONE` without one, and for a negative position."""
        if position < 0:
            return NONE
        position = min(position, self._count - 1)
        index = position >> _BITS
        word = self._words[index] & ((2 << (position & _MASK)) - 1)
        if word:
            return (index << _BITS) + word.bit_length() - 1
        rest = self._summary & ((1 << index) - 1)
        if not rest:
            return NONE
        index = rest.bit_length() - 1
        return (index << _BITS) + self._words[index].bit_length() - 1

    def first_of(self, residue: int) -> int:
        """The first member that leaves `residue` when divided by `STRIDE`; `NONE` without one. Looks at each word."""
        pattern = _STRIDED[residue]
        for index, word in enumerate(self._words):
            if found := word & pattern:
                return (index << _BITS) + (found & -found).bit_length() - 1
        return NONE
