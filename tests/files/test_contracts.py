"""A contract file is read whole, and what is wrong with it begins with its name."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import Contract, never, span

TEXT = 'format = 1\nname = "c"\nnever = ["a"]\n'


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "calm.toml"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_utf8_of_any_system(path, mark, end):
    path.write_bytes(mark + TEXT.replace("\n", end).encode())

    assert Contract.read(path) == Contract.read("calm.toml") == Contract("c", never(span("a")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "calm.toml: no UTF-8 at byte 1"),
        (b"format = 1\n", "calm.toml, line 1, column 1: name is missing"),
        (b"#" * (2**20 + 1), "calm.toml: longer than 1 MiB, which no contract file may be"),
        (TEXT.replace("never", "nevre").encode(), "calm.toml, line 3, column 1: unknown key 'nevre'"),
    ],
    ids=range(4),
)
def test_what_is_wrong_begins_with_the_name_of_the_file(path, data, message):
    path.write_bytes(data)

    with pytest.raises(ValueError, match=rf"\A{message}"):
        Contract.read("calm.toml")


def test_a_file_that_is_not_there_is_an_error_of_the_system(path):
    with pytest.raises(FileNotFoundError):
        Contract.read(path)
