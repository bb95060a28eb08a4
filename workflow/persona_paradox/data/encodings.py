"""From the bytes of a file to its text: an encoding is told, and never guessed."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from .rows import DataFile

# --- text ---------------------------------------------------------------------------------

# How files begin that are no text, and what they are.
_NO_TEXT = {
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"\xfd7zXZ": "compressed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it",
    b"PK\x03\x04": "an archive or a spreadsheet; unpack it, or set key `format.kind` to 'xlsx'",
    b"PAR1": "Parquet; set key `format.kind` to 'parquet'",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls); save it as .xlsx or CSV",
}

_MARKS = {
    codecs.BOM_UTF8: ("utf-8", "utf-8"),
    codecs.BOM_UTF16_LE: ("utf-16", "utf-16-le"),
    codecs.BOM_UTF16_BE: ("utf-16", "utf-16-be"),
}


def decoded(file: DataFile, form: Mapping[str, Any]) -> str:
    """The text of a file, without a byte order mark."""
    data, encoding = file.path.read_bytes(), form.get("encoding", "utf-8")
    for start, what in _NO_TEXT.items():
        if data.startswith(start):
            raise file.error(f"is no text, but {what}")
    codec = encoding
    if encoding == "utf-16":
        # Without a mark; the first character of a file is one of the first 256.
        codec = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    for mark, (marked, its_codec) in _MARKS.items():
        if data.startswith(mark):
            if encoding != marked:
                raise file.error(
                    f"begins with the byte order mark of {marked}, but key `format.encoding` is "
                    f"{encoding!r}; set it to {marked!r}"
                )
            data, codec = data[len(mark) :], its_codec
    if encoding not in ("utf-8", "utf-16") and not data.isascii() and _is_utf_8(data):
        raise file.error(
            f"is UTF-8, which would be other letters as {encoding}; set key `format.encoding` to "
            "'utf-8'"
        )
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise file.error(
            f"has the byte 0x{data[error.start]:02X} in line {line}, which is not {encoding}; set "
            "key `format.encoding` to what the file was saved as (by Excel on Windows cp1252, in "
            "Central Europe cp1250, in Cyrillic script cp1251; on a Mac mac-roman)"
        ) from error
    if 3 * text.count("\0") > len(text):
        raise file.error("is full of null characters, as UTF-16 is; set key `format.encoding`")
    return text


def _is_utf_8(data: bytes) -> bool:
    """Whether it can be that; text of other encodings, but for ASCII, hardly ever can."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
