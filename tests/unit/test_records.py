"""Files of records as people have them: read as recorded, or refused with row and remedy."""

from __future__ import annotations

import datetime
import io
import json
import runpy
import zipfile
from argparse import Namespace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from openpyxl.styles import numbers
from root import ROOT

from persona_paradox.data import items as data_items
from persona_paradox.data.groups import groups_of
from persona_paradox.errors import InputError
from persona_paradox.files import sha256_file
from persona_paradox.kinds.triage.items import columns
from persona_paradox.schema import check_schema

NAME = "config/datasets/mine.yaml"
read_items = partial(data_items.read_items, own=columns)
LEVELS = {"1": "l1", "2": "l2", "3": "l3"}
FIELDS = {"case": {"fields": [{"label": "Value", "column": "case", "unit": "/µL"}]}}


def data_set(kind: str, columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The file of a data set of three levels, as a user writes it, with defaults filled in."""
    form = more.pop("format", {})
    spec = {
        "title": "Mine",
        "description": "d",
        "origin": "real",
        "context": "emergency",
        "licence": {"id": "x", "redistribution": True},
        "source": {"kind": "path", "path": "mine", "sha256": "0" * 64},
        "format": {"kind": kind} | form,
        "columns": {
            "item_id": {"column": "id"},
            "reference": {"column": "level", "values": dict(LEVELS)},
            "case": {"column": "case"},
        }
        | columns,
        "levels": [{"id": id_, "title": id_} for id_ in ("l1", "l2", "l3")],
        "high_acuity": ["l1"],
    }
    check_schema(spec | more, "triage/dataset", NAME)
    return spec | more


def read(
    tmp_path: Path, data: str | bytes, kind: str = "csv", columns: Any = (), **more: Any
) -> pl.DataFrame:
    path = tmp_path / "mine"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_items([path], data_set(kind, dict(columns), **more), NAME)[0]


def refused(tmp_path: Path, data: str | bytes, *words: str, kind: str = "csv", **more: Any) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, data, kind, **more)
    message = str(caught.value)
    assert message.startswith(f"{NAME}: ")
    assert message.isprintable()
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet_of(*rows: dict[str, Any]) -> bytes:
    made = io.BytesIO()
    pl.DataFrame(rows).write_parquet(made)
    return made.getvalue()


GOOD = {"id": "a", "case": "pain", "level": 1}
HEAD = "id,case,level\n"

# --- CSV ----------------------------------------------------------------------------------

QUOTES = {
    "a quote inside of two texts": (
        'a,"nail went in 2" deep",1\nb,cough,3\nc,fever,3\nd,"cut of 3" on the arm",2\n',
        ("line 2", "double it"),
    ),
    "a quote that begins a text": (
        'a,"burning" pain after 2" cut,1\nb,cough,3\nc,"wound of 3",2\n',
        ("line 2", "double it"),
    ),
    "a quote that begins a text, and one that ends another": (
        'a,"burning pain,1\nb,cough,3\nc,wound of 3",2\n',
        ("row 1 (line 2)", "rows by themselves", "double the quote"),
    ),
    "the same of two rows next to each other": (
        'a,fever,1\nb,"burning pain,1\nc,wound of 3",2\n',
        ("row 2 (line 3)", "rows by themselves"),
    ),
    "the same with blank lines among the rows": (
        'a,"burning pain,1\n\nb,cough,3\n,,\n  \nc,wound of 3",2\n',
        ("row 1 (line 2)", "rows by themselves"),
    ),
    "the same where lines end twice": (
        'a,"burning pain,1\r\r\nb,cough,3\r\r\nc,wound of 3",2\r\r\n',
        ("rows by themselves",),
    ),
    "the same with an unknown code and with none": (
        'a,"burning pain,9\nb,cough,3\nc,fever,\nd,wound of 3",2\n',
        ("rows by themselves",),
    ),
    "a quote with a backslash": ('a,"he said \\"help\\"",1\n', ("line 2", "double it")),
    "a quote that is never closed": (
        'a,fever,1\nb,"burning pain,1\nc,cough,2\n',
        ("row of line 3", "never closed"),
    ),
    "too few values": ("a,fever,1\n\nb,cough\n", ("2 values", "row 2 (line 4)", "3 columns")),
    "too many values": ("a,fever, chills,1\n", ("4 values", "row 1 (line 2)", "needs quotes")),
    "a value that is none": ("a,nan,1\n", ("item a", "'nan'", "'case'", "`format.missing`")),
    "an error of Excel": ("a,#N/A,1\n", ("item a", "'#N/A'", "`format.missing`")),
    "the null character": ("a,pain\0,1\n", ("row 1 (line 2)", "'case'", "null character")),
    "no id": (",pain,1\n", ("row 1 (line 2) has no id",)),
}


@pytest.mark.parametrize("name", QUOTES)
def test_csv_that_is_refused(tmp_path: Path, name: str) -> None:
    rows, words = QUOTES[name]
    refused(tmp_path, HEAD + rows, *words)


def test_csv_that_is_read(tmp_path: Path) -> None:
    text = (
        '"a","5\'2"" tall, 80 kg\nsecond line, with, commas",1\r\n'
        "\r\n"
        'b,a cut of 2" on the arm,2\r\n'
        ",,\r\n"
        f"c,{'long ' * 50_000},3"
    )
    items = read(tmp_path, HEAD + text)
    assert items["item_id"].to_list() == ["a", "b", "c"]
    assert items["case"][0] == "5'2\" tall, 80 kg\nsecond line, with, commas"
    assert items["case"][1] == 'a cut of 2" on the arm'
    assert len(items["case"][2]) == 249_999
    assert items["reference"].to_list() == ["l1", "l2", "l3"]


def test_a_text_of_lines_that_look_like_rows_but_for_the_code(tmp_path: Path) -> None:
    for text in ("pain, severe\nno fever, no cough", "pain, 2 days\n\nfever, no, cough\nfull, 1"):
        assert read(tmp_path, HEAD + f'a,"{text}",1\n')["case"][0] == text


def test_blanks_behind_separators_and_zeros_that_excel_keeps(tmp_path: Path) -> None:
    data = 'id, case, level\n="007", "pain, severe", 1\n"=""08""",x,2\n'
    assert read(tmp_path, data).select("item_id", "case").rows() == [
        ("007", "pain, severe"),
        ("08", "x"),
    ]
    data = 'id case level\na "pain 2" 1\n'
    assert read(tmp_path, data, format={"separator": " "})["case"].to_list() == ["pain 2"]
    refused(tmp_path, HEAD + 'a, "burning pain,1\nb,cough,3\nc,wound",2\n', "rows by themselves")


BINARY = {
    b"\x1f\x8b\x08": ("no text, but compressed by gzip", "unpack it"),
    b"PK\x03\x04": ("an archive or a spreadsheet", "to 'xlsx'"),
    b"PAR1": ("no text, but Parquet", "to 'parquet'"),
    b"\xd0\xcf\x11\xe0": ("an old spreadsheet", "save it as"),
}


@pytest.mark.parametrize("start", BINARY)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_what_is_no_text(tmp_path: Path, kind: str, start: bytes) -> None:
    refused(tmp_path, start + b"\x00\xff", *BINARY[start], kind=kind)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, (HEAD + "a,pain,1\nb,cough,2\n").replace("\n", end)).height == 2


def test_a_column_twice(tmp_path: Path) -> None:
    data = "id,case,level,level\na,pain,1,3\n"
    refused(tmp_path, data, "'level'", "`columns.reference.column`", "more than once", "rename")
    # What nobody asks for does not matter.
    assert read(tmp_path, "id,case,level,note,note\na,pain,1,x,y\n").height == 1


def test_a_file_without_names_of_columns(tmp_path: Path) -> None:
    form = {"names": ["id", "case", "level"]}
    assert read(tmp_path, "a,pain,1\nb,cough,2\n", format=form).height == 2
    refused(tmp_path, "a,pain\n", "2 values", "3 columns", format=form)


def test_another_separator_than_the_file_says(tmp_path: Path) -> None:
    data = "sep=;\r\nid;case;level\r\na;pain;1\r\n"
    refused(tmp_path, data, "';'", "`format.separator` is ','", "set it to that")
    assert read(tmp_path, data, format={"separator": ";"})["case"].to_list() == ["pain"]
    refused(
        tmp_path, "id;case;level\na;pain;1\n", "`columns.case`", "its columns are id;case;level"
    )


def test_numbers_are_as_recorded(tmp_path: Path) -> None:
    given = ["1234567", "1250000", "999999.5", "36.123456", "0.00001", "36.", "37.0", "36.50"]
    given += ["1e400", "1_000", "<5", "120/80", "36,5", "007", "150.000", "36.00"]
    rows = "".join(f'x{number},"{value}",1\n' for number, value in enumerate(given))
    shown = [*given[:5], "36", "37", *given[7:]]
    cases = read(tmp_path, HEAD + rows, columns=FIELDS)["case"]
    assert cases.to_list() == [f"Value: {value} /µL" for value in shown]
    refused(tmp_path, HEAD + "x,nan,1\n", "'nan'", "`format.missing`", columns=FIELDS)
    items = read(tmp_path, HEAD + "x,nan,1\n", columns=FIELDS, format={"missing": ["^nan$"]})
    assert items["case"].to_list() == ["Value: not recorded"]


def test_decimal_commas(tmp_path: Path) -> None:
    form = {"decimal": ",", "separator": ";"}
    data = "id;case;level;age;note\nx;36,5;1;40,5;1,2\n"
    items = read(tmp_path, data, columns=FIELDS | {"keep": ["age"]}, format=form)
    assert items.select("case", "age").row(0) == ("Value: 36.5 /µL", "40.5")
    for value in ("1.234", "1,234,567"):
        words = ("item x", repr(value), "'case'", "`format.decimal`")
        changed = data.replace("36,5", value)
        refused(tmp_path, changed, *words, columns=FIELDS, format=form)
    for value, point in {
        ">36,5": ">36.5",
        "36,5-37,5": "36.5-37.5",
        "97,5%": "97.5%",
        "−0,5": "−0.5",
        "1 234,5": "1 234.5",
        ",5": ".5",
        "mild, 2": "mild, 2",
    }.items():
        items = read(tmp_path, data.replace("36,5", value), columns=FIELDS, format=form)
        assert items["case"].to_list() == [f"Value: {point} /µL"]
    # Codes, and not numbers.
    codes = data + "y;36;1;,5;1,2,3\n"
    items = read(tmp_path, codes, columns=FIELDS | {"keep": ["age", "note"]}, format=form)
    assert items.select("age", "note").rows() == [("40.5", "1,2"), (".5", "1,2,3")]


def test_a_code_without_a_wording(tmp_path: Path) -> None:
    values = {"1": "male", "2": "female"}
    fields = {"case": {"fields": [{"label": "Sex", "column": "sex", "values": values}]}}
    data = "id,sex,level\na,1,1\nb,2,2\nc,,3\n"
    cases = read(tmp_path, data, columns=fields)["case"]
    assert cases.to_list() == ["Sex: male", "Sex: female", "Sex: not recorded"]
    words = ("item a", "'1.0'", "'sex'", "does not map", "'Sex'", "the set is 1, 2")
    refused(tmp_path, data.replace("a,1", "a,1.0"), *words, columns=fields)


def test_a_field_without_a_value_may_be_left_out(tmp_path: Path) -> None:
    fields = [{"label": label, "column": label} for label in "AB"]
    case = {"case": {"fields": fields, "missing": None}}
    data = "id,A,B,level\na,x,y,1\nb,,y,2\n"
    assert read(tmp_path, data, columns=case)["case"].to_list() == ["A: x\nB: y", "B: y"]
    refused(tmp_path, data + "c,,,3\n", "item c is empty", "`columns.case.fields`", columns=case)


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "-INF",
        "NaT",
        "<NA>",
        "NULL",
        "\\N",
        "1.#QNAN",
        "-1.#IND",
        "#NV",
        "#WERT!",
        "#¡VALOR!",
    ],
)
def test_what_programs_write_where_there_is_no_value(tmp_path: Path, value: str) -> None:
    refused(tmp_path, HEAD + f"x,{value},1\n", f"has {value!r}", "`format.missing`")


@pytest.mark.parametrize(
    "value", ["NA", "None", "none", "-", ".", "#2 nail!", "information", "null!"]
)
def test_what_is_a_text_like_any_other(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, HEAD + f"x,{value},1\n")["case"].to_list() == [value]


@pytest.mark.parametrize("name", ["*", "^c.*$", "^.*$"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_that_are_patterns_elsewhere(tmp_path: Path, kind: str, name: str) -> None:
    table = pl.DataFrame({"id": ["a", "b"], "case": ["pain", "x"], name: ["1", "3"], "c": "y"})
    table.write_csv(tmp_path / "given") if kind == "csv" else table.write_parquet(
        tmp_path / "given"
    )
    data = (tmp_path / "given").read_bytes()
    columns = {
        "item_id": {"column": name},
        "reference": {"column": name, "values": LEVELS},
        "case": {"fields": [{"label": "Value", "column": name, "unit": "x"}]},
    }
    items = read(tmp_path, data, kind, columns, where={name: {"not": "3"}})
    assert items.rows() == [("1", "Value: 1 x", "l1", None)]


# --- groups -------------------------------------------------------------------------------

AGES = {"id": "age", "column": "age", "cuts": [18, 65]}


def kept(tmp_path: Path, *ages: str) -> pl.DataFrame:
    rows = "".join(f"x{number},c,1,{age}\n" for number, age in enumerate(ages))
    return read(tmp_path, "id,case,level,age\n" + rows, columns={"keep": ["age"]})


def test_bands_of_a_number(tmp_path: Path) -> None:
    groups = groups_of(kept(tmp_path, "17.9", "18", "65", ""), AGES, NAME)
    names = ["under 18", "18 to under 65", "65 and over", "not recorded"]
    assert groups.to_list() == names


@pytest.mark.parametrize("age", ["nan", "NaN", "inf"])
def test_an_age_that_is_none_is_not_the_oldest(tmp_path: Path, age: str) -> None:
    with pytest.raises(InputError, match=f"item x1 has '{age}' in column 'age'.*`format.missing`"):
        kept(tmp_path, "40", age)
    # As an archive could hold it.
    items = pl.DataFrame({"item_id": ["x0", "x1"], "age": ["40", age]})
    with pytest.raises(InputError, match=rf"mine\.yaml: item x1 has '{age}'.*`subgroups\.age`"):
        groups_of(items, AGES, NAME)


def test_a_number_that_is_none_to_bands(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: item x0 has '36,5' in column 'age'.*mend"):
        groups_of(kept(tmp_path, '"36,5"'), AGES, NAME)


def test_a_group_without_a_name(tmp_path: Path) -> None:
    named = {"id": "age", "column": "age", "values": {"1": "young", "2": "old"}}
    assert groups_of(kept(tmp_path, "1", "2", ""), named).to_list()[2] == "not recorded"
    with pytest.raises(InputError, match=r"item x1 has '1\.0' in column 'age'.*the set is 1, 2"):
        groups_of(kept(tmp_path, "1", "1.0"), named, NAME)


# --- encodings ----------------------------------------------------------------------------

WINDOWS = HEAD + "a,“crushing” chest pain – 37 °C,1\nb,it’s a cough,3\n"
CASES = ["“crushing” chest pain – 37 °C", "it’s a cough"]


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1252", "cp1252"),
        ("mac-roman", "mac-roman"),
        ("cp1250", "cp1250"),
        ("cp1251", "cp1251"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
    ],
)
def test_encodings(tmp_path: Path, codec: str, encoding: str) -> None:
    items = read(tmp_path, WINDOWS.encode(codec), format={"encoding": encoding})
    assert items["case"].to_list() == CASES


NOT_SO = {
    "Windows as UTF-8": ("cp1252", "utf-8", ("0x93", "line 2", "not utf-8", "cp1252")),
    "Windows as Latin-1": ("cp1252", "latin-1", ("line 2", "0x93", "'case'", "to 'cp1252'")),
    "UTF-16 as UTF-8": ("utf-16", "utf-8", ("byte order mark of utf-16", "`format.encoding`")),
    "UTF-16 without a mark": ("utf-16-le", "latin-1", ("UTF-16", "`format.encoding`")),
    "UTF-8 without a mark as Windows": ("utf-8", "cp1252", ("is UTF-8", "as cp1252", "to 'utf-8'")),
    "UTF-8 as Latin-1": ("utf-8", "latin-1", ("is UTF-8", "as latin-1", "to 'utf-8'")),
    "UTF-8 as Windows": ("utf-8-sig", "cp1252", ("byte order mark of utf-8", "to 'utf-8'")),
}


@pytest.mark.parametrize("name", NOT_SO)
def test_another_encoding(tmp_path: Path, name: str) -> None:
    codec, encoding, words = NOT_SO[name]
    refused(tmp_path, WINDOWS.encode(codec, "replace"), *words, format={"encoding": encoding})


def test_other_columns_may_be_no_latin_text(tmp_path: Path) -> None:
    data = "id,case,level,note\na,pain,1,“x”\n".encode("cp1252")
    assert read(tmp_path, data, format={"encoding": "latin-1"}).height == 1


# --- JSON ---------------------------------------------------------------------------------

BAD_JSON = {
    "an object": (
        lines(GOOD | {"case": {"complaint": "chest pain", "history": "none"}}),
        ("row 1 (line 1)", "'case' holds an object", "`case.complaint`"),
    ),
    "an object among texts": (
        lines(GOOD, GOOD | {"id": "b", "case": {"complaint": "chest pain"}}),
        ("row 2 (line 2)", "'case' holds an object"),
    ),
    "an object for an id": (
        lines(GOOD | {"id": {"at": 3}}),
        ("row 1 (line 1)", "'id' holds an object", "`id.at`"),
    ),
    "a list": (lines(GOOD | {"case": ["pain"]}), ("'case' holds a list", "`case[0]`")),
    "half an emoji": (
        '{"id": "a", "case": "pain \\ud83d", "level": 1}\n',
        ("row 1", "'case'", "half of a character (U+D83D)"),
    ),
    "the null character": ('{"id": "a", "case": "pain\\u0000", "level": 1}\n', ("null character",)),
    "a key twice": (
        '{"id": "a", "case": "pain", "level": 1, "level": 3}\n',
        ("row 1", "'level' has the key 'level' twice", "remove one"),
    ),
    "no number": (
        lines(GOOD) + '\n{"id": "b", "case": NaN, "level": 1}\n',
        ("row 2 (line 3)", "'case' holds NaN", "no JSON", "`format.missing`"),
    ),
    "a line that was cut": (
        lines(GOOD) + '{"id": "b", "case": "pa',
        ("row 2 (line 2) at character 21",),
    ),
    "a comma too many": ('{"id": "a", "case": "pain", "level": 1,}\n', ("row 1 (line 1) at",)),
    "a list of records": ("[" + lines(GOOD) + "]", ("`format.kind` to 'json'",)),
    "a row that is a list": ('["a", "pain", 1]\n'.replace("[", " [", 1), ("`format.kind`",)),
    "a row that is a text": ('"pain"\n', ("no object in row 1",)),
    "too deep": ('{"id": "a", "x": ' + "[" * 100_000 + "\n", ("too deeply",)),
    "a number too long": ('{"id": "a", "x": ' + "1" * 5000 + "}\n", ("too many digits in row 1",)),
    "no such key": (lines({"id": "a", "level": 1}), ("`columns.case` names 'case'", "id, level")),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_lines_that_are_refused(tmp_path: Path, name: str) -> None:
    data, words = BAD_JSON[name]
    refused(tmp_path, data, *words, kind="jsonl")


def test_json_lines_that_are_read(tmp_path: Path) -> None:
    data = (
        "\ufeff"
        + lines(GOOD | {"options": ["A", "B"], "flag": True})
        + "\r\n"
        # What stands in other columns does not matter.
        + '{"id": "b", "case": "cough\u2028dry", "level": 2, "t": NaN, "x": 1, "x": 2}\r\n'
        + '{"id": "c", "level": 3, "case": 37.50}\n'
        + '{"id": "d", "level": 3, "case": 12345678901234567890}'
    )
    items = read(tmp_path, data, "jsonl", {"keep": ["flag", "options"]})
    assert items["case"].to_list() == ["pain", "cough\u2028dry", "37.50", "12345678901234567890"]
    assert items["flag"].to_list() == ["true", None, None, None]
    assert items["options"].to_list() == ['["A", "B"]', None, None, None], "as JSON"


def test_no_number_may_count_as_not_recorded(tmp_path: Path) -> None:
    data = '{"id": "a", "case": "pain", "level": 1, "age": NaN}\n'
    refused(tmp_path, data, "'age' holds NaN", kind="jsonl", columns={"keep": ["age"]})
    form = {"missing": ["^NaN$"]}
    assert read(tmp_path, data, "jsonl", {"keep": ["age"]}, format=form)["age"][0] is None


PATHS = [
    {"id": "a", "level": 1, "o": {"A": "x", "B": "y"}, "m": [{"t": "pain"}, {"t": "why?"}]},
    {"id": "b", "level": 2, "o": {"A": "z"}, "m": [{"t": "cough"}], "o.A": "as it stands"},
    {"id": "c", "level": 3, "o": None, "m": [{"t": "fever"}]},
]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_paths_into_columns(tmp_path: Path, kind: str) -> None:
    rows = [{k: v for k, v in row.items() if k != "o.A"} for row in PATHS]
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(tmp_path / "given")
        data = (tmp_path / "given").read_bytes()
    else:
        data = (lines(*rows) if kind == "jsonl" else json.dumps(rows, indent=1)).encode()
    columns = {"case": {"column": "m[0].t"}, "keep": ["o.A", "o.B", "m[1].t"]}
    items = read(tmp_path, data, kind, columns)
    assert items["case"].to_list() == ["pain", "cough", "fever"]
    assert items["o.A"].to_list() == ["x", "z", None]
    assert items["o.B"].to_list() == ["y", None, None]
    assert items["m[1].t"].to_list() == ["why?", None, None]
    words = ("`columns.keep` names 'o.C'", "its columns are id, level, o, m")
    refused(tmp_path, data, *words, kind=kind, columns=columns | {"keep": ["o.C"]})


def test_a_name_wins_over_a_path(tmp_path: Path) -> None:
    columns = {"case": {"column": "m[0].t"}, "keep": ["o.A"]}
    items = read(tmp_path, lines(*PATHS), "jsonl", columns)
    assert items["o.A"].to_list() == [None, "as it stands", None]
    csv = "id,m[0].t,level,o.A\na,pain,1,x\n"
    assert read(tmp_path, csv, "csv", columns).row(0)[-1] == "x"


def test_a_path_that_leads_nowhere(tmp_path: Path) -> None:
    data = lines(PATHS[0], PATHS[0] | {"id": "b", "m": "pain"})
    words = ("row 2 (line 2)", "no list where `m[0].t` asks for the element 0")
    refused(tmp_path, data, *words, kind="jsonl", columns={"case": {"column": "m[0].t"}})


def test_json_whose_records_lie_inside(tmp_path: Path) -> None:
    data = json.dumps({"version": 1, "data": {"rows": [GOOD]}})
    refused(
        tmp_path, data, "an object with the keys version, data", "`format.records`", kind="json"
    )
    items = read(tmp_path, data, "json", format={"records": "data.rows"})
    assert items["case"].to_list() == ["pain"]
    refused(tmp_path, data, "at 'rows'", kind="json", format={"records": "rows"})
    refused(tmp_path, lines(GOOD, GOOD), "'jsonl'", kind="json")
    refused(tmp_path, "[1,\n]", "line 2, character 1", kind="json")


def test_json_whose_records_lie_under_keys(tmp_path: Path) -> None:
    rows = {"21645374": {"case": "pain", "level": 1}, "16418930": {"case": "cough", "level": 2}}
    data = json.dumps({"all": rows})
    form = {"records": "all"}
    words = ("the keys 21645374, 16418930", "`format.key_column`")
    refused(tmp_path, data, *words, kind="json", format=form)
    form["key_column"] = "id"
    assert read(tmp_path, data, "json", format=form)["item_id"].to_list() == list(rows)
    rows["16418930"]["level"] = 9
    refused(tmp_path, json.dumps(rows), "'9'", kind="json", format={"key_column": "id"})
    rows["16418930"] = {"case": ["x"]}
    words = ("row 2 ('16418930')", "'case' holds a list")
    refused(tmp_path, json.dumps(rows), *words, kind="json", format={"key_column": "id"})
    words = ("a column 'case' of its own", "`format.key_column`")
    refused(tmp_path, json.dumps(rows), *words, kind="json", format={"key_column": "case"})
    refused(tmp_path, f"[{lines(GOOD)}]", "no keys", kind="json", format={"key_column": "id"})
    twice = '{"a": {"case": "x", "level": 1}, "a": {"case": "y", "level": 2}}'
    refused(tmp_path, twice, "the key 'a' twice", kind="json", format={"key_column": "id"})


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_rows_in_which_nothing_stands(tmp_path: Path, kind: str) -> None:
    none = dict.fromkeys(GOOD) | {"note": "  "}
    rows = [GOOD, none, GOOD | {"id": "b", "age": float("nan") if kind == "parquet" else None}]
    path = tmp_path / "mine"
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text(lines({}, *rows) if kind == "jsonl" else json.dumps([{}, *rows]))
    items, counts = read_items([path], data_set(kind, {}), NAME)
    assert items["item_id"].to_list() == ["a", "b"]
    assert counts["empty"] == (1 if kind == "parquet" else 2)
    # Something stands there, if nothing that is asked for.
    rows[1] |= {"note": "see above"}
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text(lines(*rows) if kind == "jsonl" else json.dumps(rows))
    refused(tmp_path, path.read_bytes(), "row 2", "has no id", kind=kind)


def test_kept_json_has_the_digits_of_the_file(tmp_path: Path) -> None:
    kept = '{"a": 1.50, "b": [12345678901234567890, 0.1000, "é", null], "c": {}}'
    data = f'{{"id": "a", "case": "x", "level": 1, "k": {kept}}}\n'
    assert read(tmp_path, data, "jsonl", {"keep": ["k"]})["k"].to_list() == [kept]


# --- Parquet ------------------------------------------------------------------------------


def test_parquet(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "id": [1, 2],
            "case": pl.Series([36.6, 1e-5], dtype=pl.Float32),
            "level": [1.0, 2.0],
            "day": [datetime.date(2025, 1, 31), None],
            "at": [datetime.datetime(2025, 1, 31, 8, 5), None],
            "age": [float("nan"), 71.0],
            "kind": pl.Series(["x", "y"], dtype=pl.Categorical),
            "embedding": [[0.5], [1.5]],
            "stay": [datetime.timedelta(hours=3)] * 2,
        }
    )
    table.write_parquet(tmp_path / "given")
    data = (tmp_path / "given").read_bytes()
    items = read(tmp_path, data, "parquet", {"keep": ["day", "at", "age", "kind"]})
    assert items.drop("excluded").rows() == [
        ("1", "36.6", "l1", "2025-01-31", "2025-01-31 08:05:00", None, "x"),
        ("2", "0.00001", "l2", None, None, "71", "y"),
    ]
    words = ("row 1", "'stay'", "a length of time", "no text")
    refused(tmp_path, data, *words, kind="parquet", columns={"keep": ["stay"]})
    refused(tmp_path, data[:-20], "cannot be read as parquet", "mend", kind="parquet")


def test_parquet_of_other_types(tmp_path: Path) -> None:
    def data(case: pl.Series) -> bytes:
        rows = {"id": ["a", "b"], "case": case, "level": [1, 2]}
        pl.DataFrame(rows).write_parquet(tmp_path / "given")
        return (tmp_path / "given").read_bytes()

    decimals = data(pl.Series([Decimal("71.00"), Decimal("36.50")]))
    assert read(tmp_path, decimals, "parquet")["case"].to_list() == ["71", "36.50"]
    late = data(pl.Series([3_000_000, 1], dtype=pl.Int32).cast(pl.Date))
    refused(tmp_path, late, "'case'", "after the year 9999", kind="parquet")
    refused(tmp_path, data(pl.Series([b"x", b"y"])), "holds bytes", kind="parquet")


def test_parquet_in_a_folder_whose_name_is_a_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "study [v2]*"
    folder.mkdir()
    assert read(folder, parquet_of(GOOD), "parquet").height == 1


# --- spreadsheets -------------------------------------------------------------------------


def book(tmp_path: Path, *rows: list[Any], change: Any = lambda sheet: None) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    change(made.active)
    made.create_sheet("Second").append(["id", "case", "level"])
    made.save(tmp_path / "given.xlsx")
    return (tmp_path / "given.xlsx").read_bytes()


TOP = ["id", "case", "level", "day", "share"]


def test_a_spreadsheet(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        sheet["E2"].number_format = numbers.FORMAT_PERCENTAGE_00
        sheet["E4"].number_format = '0"%"'
        sheet.row_dimensions[4].hidden = True

    data = book(
        tmp_path,
        TOP,
        [1, "pain, _x000D_\nacute", 1, datetime.datetime(2025, 1, 31), 0.975],
        [None, " ", None, None, None],
        ["b", 0.1 + 0.2, 2.0, datetime.datetime(2025, 1, 31, 8, 5), 97],
        change=change,
    )
    items = read(tmp_path, data, "xlsx", {"keep": ["day", "share"]})
    assert items.drop("excluded").rows() == [
        ("1", "pain, \r\nacute", "l1", "2025-01-31", "97.5%"),
        ("b", "0.3", "l2", "2025-01-31 08:05:00", "97"),
    ]
    refused(tmp_path, data, "no items", kind="xlsx", format={"sheet": "Second"})
    words = ("no sheet 'Third'", "Sheet, Second")
    refused(tmp_path, data, *words, kind="xlsx", format={"sheet": "Third"})


BOOKS = {
    "merged cells": (
        lambda sheet: sheet.merge_cells("C2:C3"),
        ("merged cells (C2:C3)", "'Sheet'", "unmerge"),
    ),
    "a formula without its result": (
        lambda sheet: sheet.__setitem__("B3", "=A3"),
        ("row 3", "'case' holds a formula", "save the file"),
    ),
    "an error": (
        lambda sheet: sheet.__setitem__("B3", "#N/A"),
        ("row 3", "'case' holds the error #N/A", "`format.missing`"),
    ),
    "a column twice": (lambda sheet: sheet.__setitem__("D1", "level"), ("more than once",)),
    "a title above the table": (lambda sheet: sheet.insert_rows(1), ("no names of columns",)),
}


@pytest.mark.parametrize("name", BOOKS)
def test_spreadsheets_that_are_refused(tmp_path: Path, name: str) -> None:
    change, words = BOOKS[name]
    data = book(tmp_path, TOP, ["a", "pain", 1], ["b", "cough", 2], change=change)
    refused(tmp_path, data, *words, kind="xlsx")


def formulas(tmp_path: Path) -> bytes:
    """Formulas with results, as spreadsheet programs save them: their type, and perhaps a text."""
    rows = [["=A9", "case", "level"], ["a", "=A9", 1], ["=A9", "=A9", "=A9"], ["b", "cough", 2]]
    results = {"A1": "id", "B2": "", "A3": "", "B3": "", "C3": ""}
    given = zipfile.ZipFile(io.BytesIO(book(tmp_path, *rows)))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for name in given.namelist():
            text = given.read(name).decode()
            for cell, result in results.items() if name.endswith("sheet1.xml") else ():
                old, new = f'<c r="{cell}">', f'<c r="{cell}" t="str">'
                assert old in text
                at = text.index("<v", text.index(old))
                after = text.index("</c>", at)
                text = text[:at] + f"<v>{result}</v>" + text[after:]
                text = text.replace(old, new)
            target.writestr(name, text)
    return made.getvalue()


def test_formulas_whose_result_is_an_empty_text(tmp_path: Path) -> None:
    fields = [{"label": label, "column": label} for label in ("id", "case")]
    data = formulas(tmp_path)
    cases = read(tmp_path, data, "xlsx", {"case": {"fields": fields}})["case"]
    assert cases.to_list() == ["id: a\ncase: not recorded", "id: b\ncase: cough"]


def test_a_hidden_sheet_is_not_the_first(tmp_path: Path) -> None:
    def change(sheet: Any) -> None:
        shown = sheet.parent.create_sheet("Shown")
        for row in sheet.iter_rows(values_only=True):
            shown.append([*row[:1], "fever", *row[2:]] if row[1] == "pain" else row)
        sheet.sheet_state = "hidden"

    data = book(tmp_path, TOP, ["a", "pain", 1], change=change)
    assert read(tmp_path, data, "xlsx")["case"].to_list() == ["fever"]
    assert read(tmp_path, data, "xlsx", format={"sheet": "Sheet"})["case"].to_list() == ["pain"]


def test_a_spreadsheet_with_a_damaged_part(tmp_path: Path) -> None:
    given = zipfile.ZipFile(io.BytesIO(book(tmp_path, TOP, ["a", "pain", 1])))
    for damaged in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as target:
            for name in given.namelist():
                data = given.read(name)
                target.writestr(name, data[: len(data) // 2] if name == damaged else data)
        refused(tmp_path, made.getvalue(), "cannot be read as xlsx", "save it", kind="xlsx")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", HEAD.encode(), b"\xd0\xcf\x11\xe0" * 200])
def test_what_is_no_spreadsheet(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, data, "cannot be read as xlsx", "save it", kind="xlsx")


# --- which rows, of which files -----------------------------------------------------------

SPLITS = "id,case,level,split,n\na,pain,1,test,1\nb,,9,train,nan\nc,cough,2,test,2\nd,x,3,dev,3\n"


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"split": "test"}, ["a", "c"]),
        ({"split": ["test", "dev"]}, ["a", "c", "d"]),
        ({"split": "test", "n": 2}, ["c"]),
        ({"case": {"empty": False}}, ["a", "c", "d"]),
        ({"split": {"not": ["train", "dev"]}}, ["a", "c"]),
        ({"case": {"empty": False, "not": "x"}}, ["a", "c"]),
    ],
)
def test_rows_that_are_kept(tmp_path: Path, where: dict[str, Any], ids: list[str]) -> None:
    assert read(tmp_path, SPLITS, where=where)["item_id"].to_list() == ids


def test_rows_are_counted_and_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text(SPLITS)
    columns = {"item_id": {"prefix": "case_"}, "keep": ["n"]}
    spec = data_set("csv", columns, where={"split": "test"})
    items, rows = read_items([path], spec, NAME)
    assert items["item_id"].to_list() == ["case_1", "case_3"]
    assert rows == {"read": 4, "empty": 0, "kept": 2}


BAD_WHERE = {
    "a value that no row has": ({"split": "tset"}, ("`where.split` names 'tset'", "'train'")),
    "no row": ({"split": "test", "n": "3"}, ("keeps none of the 4 rows",)),
    "no such column": ({"part": "test"}, ("`where.part` names 'part'", "id, case")),
}


@pytest.mark.parametrize("name", BAD_WHERE)
def test_conditions_that_are_refused(tmp_path: Path, name: str) -> None:
    where, words = BAD_WHERE[name]
    refused(tmp_path, SPLITS, *words, where=where)


def of_files(
    tmp_path: Path, *texts: str, names: Any = ("far/first.csv", "second.csv"), **more: Any
) -> pl.DataFrame:
    sources = [{"kind": "path", "path": name, "sha256": "0" * 64} for name in names]
    paths = [tmp_path / f"raw{number}" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return read_items(
        paths, data_set("csv", more.pop("columns", {}), source=sources, **more), NAME
    )[0]


def test_several_files_are_one_set(tmp_path: Path) -> None:
    form = {"file_column": "subject"}
    columns = {"item_id": {"prefix": "q_"}, "keep": ["subject"]}
    texts = (HEAD + "a,pain,1\n", "level,case,id\n2,cough,a\n")
    items = of_files(tmp_path, *texts, columns=columns, format=form)
    assert items.select("item_id", "case", "reference", "subject").rows() == [
        ("q_1", "pain", "l1", "first"),
        ("q_2", "cough", "l2", "second"),
    ]
    items = of_files(tmp_path, *texts, columns=columns, format=form, where={"subject": "second"})
    assert items["item_id"].to_list() == ["q_2"]


def test_errors_name_the_file_of_several(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the file second\.csv of key `source` has 2 values in row 1"
    ):
        of_files(tmp_path, HEAD + "a,pain,1\n", HEAD + "b,cough\n")
    with pytest.raises(InputError, match=r"row 1 \(line 2\) of second\.csv has no id"):
        of_files(tmp_path, HEAD + "a,pain,1\n", HEAD + ",cough,2\n")


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    names, texts = ("far/test.csv", "near/test.csv"), (HEAD + "a,pain,1\n", HEAD + ",cough,2\n")
    with pytest.raises(InputError, match=r"row 1 \(line 2\) of near/test\.csv has no id"):
        of_files(tmp_path, *texts, names=names)
    form = {"file_column": "part"}
    with pytest.raises(InputError, match=r"the same of far/test\.csv and near/test\.csv; rename"):
        of_files(tmp_path, *texts, names=names, format=form)
    with pytest.raises(InputError, match=r"the same of x\.csv and x\.txt; rename"):
        of_files(tmp_path, *texts, names=("a/x.csv", "b/x.txt"), format=form)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "xlsx"])
def test_the_name_of_a_file_takes_no_column_of_it(tmp_path: Path, kind: str) -> None:
    row = {"id": "a", "case": "pain", "level": 1, "part": "of the file"}
    if kind == "xlsx":
        data = book(tmp_path, list(row), list(row.values()))
    elif kind == "parquet":
        data = parquet_of(row)
    else:
        data = (lines(row) if kind == "jsonl" else pl.DataFrame([row]).write_csv()).encode()
    words = ("has a column 'part' of its own", "`format.file_column`")
    refused(tmp_path, data, *words, kind=kind, format={"file_column": "part"})
    assert read(tmp_path, data, kind, {"keep": ["file"]}, format={"file_column": "file"}).height


def test_each_file_of_a_set_has_its_checksum(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "workflow/scripts/download_dataset.py"))["main"]
    names, texts = ("a.csv", "b.csv"), (HEAD + "a,pain,1\n", HEAD + "b,cough,2\n,,\n")
    sources = []
    for name, text in zip(names, texts, strict=True):
        (tmp_path / name).write_text(text)
        sha256 = sha256_file(tmp_path / name)
        sources.append({"kind": "path", "path": f"{{data_dir}}/{name}", "sha256": sha256})
    spec = data_set("csv", {}, source=sources)
    place = {name: tmp_path / name for name in ("reading", "items", "manifest")}
    place["reading"].write_text(json.dumps(spec))
    arguments = Namespace(**place, kind="triage", config_file=NAME, data_dir=str(tmp_path))
    main(arguments)
    assert pl.read_parquet(place["items"])["item_id"].to_list() == ["a", "b"]
    manifest = json.loads(place["manifest"].read_text())
    assert [file["sha256"] for file in manifest["files"]] == [one["sha256"] for one in sources]
    assert manifest["rows"] == {"read": 3, "empty": 1, "kept": 2}
    (tmp_path / "b.csv").write_text(HEAD + "b,fever,2\n")
    with pytest.raises(InputError, match=r"mine\.yaml, file b\.csv: key `source\.sha256`"):
        main(arguments)
