"""Baseline files on a disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_mlflow_traces.core.baselines.file_format import BaselineError, new_baseline, new_section
from pytest_mlflow_traces.files import baselines
from tests.support.building import tree
from tests.support.messages import exactly

BASELINE = new_baseline("test_a.py::test_x").with_section(new_section("").rewritten(tree("a"), tree("a"), (), ()))


def test_the_file_of_a_test():
    path = baselines.file_of(Path("tests/test_agent.py"), "test_question")
    assert path == Path("tests/__traces__/test_agent/test_question.trace")

    path = baselines.file_of(Path("tests/Test Agent.py"), "TestCost::test_question[eu/../x]")
    assert re.fullmatch(
        r"tests/__traces__/Test-Agent-\w{8}/TestCost.test_question-eu-..-x-\w{8}\.trace", path.as_posix()
    )


@given(st.text(max_size=200) | st.sampled_from(["con", "CON", "..", "a" * 500, "", ".", "-", "\ud800", "nul.txt"]))
def test_a_name_is_safe_anywhere(text):
    name = baselines.safe_name(text)

    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,90}", name, re.ASCII)
    assert not name.endswith((".", "-"))
    assert name == baselines.safe_name(text)


@given(st.text("aA[]-_b/", min_size=1, max_size=4), st.text("aA[]-_b/", min_size=1, max_size=4))
def test_two_texts_have_two_names_also_where_case_does_not_count(one, two):
    names = {baselines.safe_name(text).lower() for text in (one, two)}

    assert len(names) == len({one, two})


def test_a_file_is_written_whole_and_read_again(tmp_path):
    path = baselines.file_of(tmp_path / "test_a.py", "test_x")

    assert baselines.load(path) is None
    baselines.store(path, BASELINE)
    assert baselines.load(path).section("").pattern == BASELINE.sections[0].pattern
    assert [each.name for each in path.parent.iterdir()] == ["test_x.trace"]

    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert str(baselines.load(path)) == str(BASELINE)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_file_keeps_its_line_ends_its_mark_and_the_blank_lines_at_its_end(tmp_path, mark, line_end):
    path = tmp_path / "x.trace"
    baselines.store(path, BASELINE)
    said = mark + (path.read_bytes() + b"\n\n").replace(b"\n", line_end)
    path.write_bytes(said)

    baselines.store(path, baselines.load(path))

    assert path.read_bytes() == said


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "x.trace").write_bytes(b"\xff")

    with pytest.raises(BaselineError, match=exactly("no UTF-8 at byte 1")):
        baselines.load(tmp_path / "x.trace")
    with pytest.raises(BaselineError, match="directory"):
        baselines.load(tmp_path)


def test_a_file_is_removed_with_the_folders_that_are_empty_then(tmp_path):
    one, two, three = (baselines.file_of(tmp_path / f"test_{m}.py", t) for m, t in [("a", "x"), ("a", "y"), ("b", "x")])
    for path in (one, two, three):
        baselines.store(path, BASELINE)

    baselines.remove(one)
    assert two.exists()
    baselines.remove(two)
    assert not two.parent.exists()
    baselines.remove(three)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_removed_around_a_file_that_stands_elsewhere(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.trace").touch()

    baselines.remove(tmp_path / "folder" / "x.trace")

    assert (tmp_path / "folder").exists()


def test_the_files_of_a_folder_say_their_test(tmp_path):
    path = baselines.file_of(tmp_path / "test_a.py", "test_x")
    baselines.store(path, BASELINE)
    odd = path.with_name("odd.trace")
    odd.write_bytes(b"\xff\n\xff")
    (path.parent / "readme.txt").touch()
    (path.parent / "folder.trace").mkdir()

    assert list(baselines.files_in(tmp_path / "__traces__")) == [(odd, None), (path, "test_a.py::test_x")]
