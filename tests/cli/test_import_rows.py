"""Reading files of links."""

import io
from typing import Any

import pytest

from hopline.cli.errors import CliError
from hopline.cli.import_rows import Row, RowReader


def rows(text: str | bytes) -> list[Row]:
    return list(RowReader(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def links(text: str | bytes) -> list[dict[str, Any]]:
    return [row.link for row in rows(text) if row.problem is None]


def test_a_header_names_the_columns_in_any_order() -> None:
    text = "custom_code,url,redirect_status,expires_at,user_id\nhi,https://a.example/,301,2030-01-01,u1\n"
    assert links(text) == [
        {
            "custom_code": "hi",
            "url": "https://a.example/",
            "redirect_status": 301,
            "expires_at": "2030-01-01",
            "user_id": "u1",
        }
    ]


@pytest.mark.parametrize(
    "header", ["long_url,slug", "Target URL;Keyword", "\ufeffURL\tshort_code", "destination,alias,title"]
)
def test_the_words_of_other_shorteners_are_understood(header: str) -> None:
    delimiter = next(char for char in ",;\t" if char in header)
    assert links(f"{header}\nhttps://a.example/{delimiter}x\n") == [{"url": "https://a.example/", "custom_code": "x"}]


@pytest.mark.parametrize("cell", ["1924988399", "1924988399000", "2030-12-31T22:59:59.000Z"])
def test_an_expiry_may_be_a_number_of_seconds_or_milliseconds(cell: str) -> None:
    assert links(f"url,expires_at\nhttps://a.example/,{cell}\n")[0]["expires_at"] == "2030-12-31T22:59:59.000Z"


def test_a_file_without_a_header_has_one_whole_url_a_line() -> None:
    text = 'https://a.example/x,y\r\n\r\n  https://b.example/;z \n"https://c.example/"\nhttps://d.example/'
    assert [link["url"] for link in links(text)] == [
        "https://a.example/x,y",
        "https://b.example/;z",
        "https://c.example/",
        "https://d.example/",
    ]


def test_a_single_column_may_have_a_header() -> None:
    assert links("url\nhttps://a.example/\n") == [{"url": "https://a.example/"}]


def test_a_header_without_a_url_column_is_refused_as_a_whole() -> None:
    with pytest.raises(CliError, match="no `url` column in the first line: 'name,age'"):
        rows("name,age\nx,1\n")


def test_a_column_named_twice_is_refused_as_a_whole() -> None:
    with pytest.raises(CliError, match="names a column twice"):
        rows("url,long_url\nx,y\n")


def test_rows_keep_their_line_numbers_through_blank_and_multiline_cells() -> None:
    text = 'url,user_id\nhttps://a.example/,"two\nlines"\n\n,\nhttps://b.example/,u\n'
    assert [(row.line, row.link["url"]) for row in rows(text)] == [(2, "https://a.example/"), (6, "https://b.example/")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"https://a.example/,\xff\xfe,\n", "user_id: not UTF-8 text"),
        (b",u1,\n", "url: missing"),
        (b"https://a.example/,u,soon\n", "redirect_status: not a number: 'soon'"),
        (b"https://a.example/,u,301,more\n", "4 cells where the header has 3"),
        (b"https://a.example/" + b"x" * 100_000 + b",,\n", "the row has over 100,000 characters"),
        (b'"' + b"x" * 200_000 + b'",,\n', "not readable as CSV: field larger"),
    ],
)
def test_a_row_that_cannot_be_sent_says_why_and_the_next_is_read(line: bytes, problem: str) -> None:
    first, second = rows(b"url,user_id,redirect_status\n" + line + b"https://b.example/,,\n")
    assert (first.line, second.line, second.problem) == (2, 3, None)
    assert first.problem is not None
    assert problem in first.problem


def test_columns_that_mean_nothing_are_named() -> None:
    reader = RowReader(io.BytesIO(b"url,title,visits\nhttps://a.example/,A,3\n"))
    assert [row.link for row in reader] == [{"url": "https://a.example/"}]
    assert reader.ignored == ["title", "visits"]


def test_an_empty_file_has_no_rows() -> None:
    assert rows("") == []


def test_bytes_read_reach_the_size_of_the_file() -> None:
    content = "url\nhttps://ä.example/\n".encode()
    reader = RowReader(io.BytesIO(content))
    list(reader)
    assert reader.bytes_read == len(content)
