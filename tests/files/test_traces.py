"""Traces in files: what is read, and what is said of what cannot be."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tracemalloc

import pytest

from pytest_mlflow_traces import read_traces
from pytest_mlflow_traces.files import objects
from pytest_mlflow_traces.files.traces import stored_traces
from tests.support.messages import exactly
from tests.support.storing import line, stored


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file of this content; its name in errors is `t.jsonl`."""
    monkeypatch.chdir(tmp_path)

    def made(content):
        (tmp_path / "t.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
        return "t.jsonl"

    return made


def names(path):
    return [trace.name for trace in read_traces(path)]


def test_json_lines(write):
    assert names(write(line("one") + "\n\n  \n" + line("two"))) == ["one", "two"]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_one_trace_of_a_list_and_of_what_mlflow_lists(write, indent):
    one, two = stored("one"), stored("two")

    assert names(write(json.dumps(one, indent=indent))) == ["one"]
    assert names(write(json.dumps([one, two], indent=indent))) == ["one", "two"]
    assert names(write(json.dumps({"traces": [one], "next_page_token": None}, indent=indent))) == ["one"]


def test_a_file_of_another_editor(write):
    assert names(write(b"\xef\xbb\xbf" + line("one").encode() + b"\r\n" + line("two").encode())) == ["one", "two"]


def test_standard_input(write, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line("one").encode())))

    assert names("-") == ["one"]


def test_no_trace_is_no_trace(write):
    assert read_traces(write("")) == []


def test_what_is_read_says_where_it_stands_and_which_test_made_it(write):
    path = write(line("one", test="test_a.py::test_x") + "\n" + json.dumps([stored("two"), stored("three")]))

    assert [(each.where, each.test) for each in stored_traces([path])] == [
        ("t.jsonl, line 1", "test_a.py::test_x"),
        ("t.jsonl, line 2, trace 1", None),
        ("t.jsonl, line 2, trace 2", None),
    ]


LEGAL = "(legal: 'OK', 'ERROR', 'UNSET', alone or behind 'STATUS_CODE_')"
NO_TRACE = "not a trace: expected an object with `info` and `data`, as Trace.to_json() of MLflow writes"
CUT = "it ends in the middle, as if it were cut off"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("nonsense", ", line 1: no JSON at column 1: Expecting value"),
        (
            f"{line('one')}\n{line('two')[:-20]}",
            f", line 2: no JSON at column 337: Unterminated string starting at; {CUT}",
        ),
        ('{"info": ', f", line 1: no JSON at column 9: Expecting value; {CUT}"),
        ('{\n"info": }\n', ": no JSON at line 2, column 9: Expecting value"),
        (b'{"info": "\xff"}', ", line 1: no UTF-8 at byte 11"),
        ("[" * 100_000, ", line 1: the JSON is nested too deep to be read"),
        ("5", f", line 1: {NO_TRACE}"),
        ("[5]", f", line 1, trace 1: {NO_TRACE}"),
        ('{"info": {}, "data": {"spans": 5}}', ", line 1: not a trace: data.spans is a list of objects"),
        (
            line("x").replace('"code": "STATUS_CODE_OK"', '"code": 2'),
            f", line 1: not a span: unknown status code 2 {LEGAL}",
        ),
        (
            line("x").replace('"code": "STATUS_CODE_OK"', '"code": ["\\u001b[31m\\u202e"]'),
            f", line 1: not a span: unknown status code ['\\x1b[31m\\u202e'] {LEGAL}",
        ),
    ],
)
def test_what_is_no_trace_is_named_by_file_and_line(write, content, says):
    with pytest.raises(ValueError, match=exactly(f"t.jsonl{says}")):
        read_traces(write(content))


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (gzip.compress(b"{}"), "compressed with gzip; unpack it with gunzip first"),
        (bz2.compress(b"{}"), "compressed with bzip2; unpack it with bunzip2 first"),
        (lzma.compress(b"{}"), "compressed with xz; unpack it with unxz first"),
        (b"\x28\xb5\x2f\xfd\x00", "compressed with zstd; unpack it with unzstd first"),
        (b"PK\x03\x04\x14", "compressed with zip; unpack it with unzip first"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip"],  # what is compressed holds the time
)
def test_a_compressed_file_says_what_to_do(write, packed, says):
    with pytest.raises(ValueError, match=exactly(f"t.jsonl: {says}")):
        read_traces(write(packed))


def test_the_name_of_a_file_is_no_escape_sequence(tmp_path):
    path = tmp_path / "\x1b[31m.jsonl"
    path.write_text("x")

    with pytest.raises(ValueError, match=r"\\x1b\[31m\.jsonl, line 1: no JSON"):
        read_traces(path)


def test_a_number_of_too_many_digits(write):
    if not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python reads any number")
    with pytest.raises(ValueError, match=r"\At\.jsonl, line 1: Exceeds the limit"):
        read_traces(write('{"info": ' + "9" * 100_000 + "}"))


@pytest.mark.parametrize("content", ["x" * 2000, "{\n" + " " * 2000 + "}"])
def test_a_line_without_end_is_not_read_to_its_end(write, monkeypatch, content):
    monkeypatch.setattr(objects, "LONGEST_LINE", 1000)
    path = write(content)

    with pytest.raises(ValueError, match=r"\At\.jsonl(, line 1: longer|: longer) than 0 MiB"):
        read_traces(path)


def test_memory_does_not_grow_with_the_file(write):
    path = write("\n".join([line("one", note="x" * 1000)] * 2000))

    tracemalloc.start()
    count = sum(1 for _ in stored_traces([path]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 2000
    assert peak < 500_000


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_traces(tmp_path / "none.jsonl")
