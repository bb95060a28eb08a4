"""PDF files that are the same in every process.

What converts SVG to PDF writes the objects of fonts in an order that changes from run to run. Order
means nothing there: objects are found by a table of their places at the end of the file.
"""

from __future__ import annotations

import re

# Entries of a dictionary, each a name and what it refers to, on lines of their own.
_ENTRIES = re.compile(rb"(?:^ +/\w+ \d+ 0 R\n){2,}", re.MULTILINE)
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")


def in_order(pdf: bytes) -> bytes:
    """The same document, with its objects numbered and written in the order in which it names them.

    Args:
        pdf: a file without streams of objects, whose objects are all of generation 0.
    """
    at = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", pdf[at:])]
    trailer = _sorted(pdf[pdf.index(b"trailer\n", at) : pdf.index(b"startxref\n", at)])
    ends = dict(zip(sorted(places), [*sorted(places)[1:], at], strict=True))
    heads, streams = {}, {}
    for number, place in enumerate(places, start=1):
        text = pdf[place : ends[place]].partition(b" obj\n")[2]
        # A stream may hold bytes that look like a reference.
        head, begin, rest = text.partition(b"\nstream\n")
        heads[number], streams[number] = _sorted(head), begin + rest
    order = _met(trailer, heads)

    def renumbered(text: bytes) -> bytes:
        return _REFERENCE.sub(lambda found: b"%d 0 R" % order[int(found[1])], text)

    written = pdf[: min(places)]
    found = []
    for number, new in order.items():
        found.append(len(written))
        written += b"%d 0 obj\n" % new + renumbered(heads[number]) + streams[number]
    table = b"".join(b"%010d 00000 n\r\n" % place for place in found)
    size = len(found) + 1
    trailer = re.sub(rb"/Size \d+", b"/Size %d" % size, renumbered(trailer))
    head = b"xref\n0 %d\n0000000000 65535 f\r\n" % size
    return written + head + table + trailer + b"startxref\n%d\n%%%%EOF" % len(written)


def _sorted(text: bytes) -> bytes:
    """Entries of dictionaries by their names."""
    return _ENTRIES.sub(lambda found: b"".join(sorted(found[0].splitlines(True))), text)


def _met(trailer: bytes, heads: dict[int, bytes]) -> dict[int, int]:
    """New number of every object that is referred to, in the order in which that is met."""
    order: dict[int, int] = {}
    waiting = [int(number) for number in _REFERENCE.findall(trailer)]
    while waiting:
        number = waiting.pop(0)
        if number not in order:
            order[number] = len(order) + 1
            waiting += map(int, _REFERENCE.findall(heads[number]))
    return order
