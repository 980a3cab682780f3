"""Tables in files: of `mlflow.search_traces()` as JSON and CSV, of Databricks as Parquet and Arrow."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tracemalloc

import pytest

from pytest_mlflow_traces import read_traces
from pytest_mlflow_traces.files import objects
from pytest_mlflow_traces.files.traces import stored_traces
from tests.support.building import node
from tests.support.databricks import arrow_table, span_rows, unified_row
from tests.support.messages import exactly
from tests.support.storing import line, stored

AGENT = stored(node("agent AGENT", outputs="yes"), ["plan", "search TOOL ERROR"], team="red", id="tr-5")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="pyarrow reads Arrow and Parquet")


def written(table, form, folder):
    """Write a table of Arrow into a file, whose name says nothing of it."""
    from pyarrow import feather, ipc, parquet

    path = folder / "t"
    if form == "parquet":
        parquet.write_table(table, path, row_group_size=2)
    elif form == "parquet of Spark":
        parquet.write_table(table, path, use_deprecated_int96_timestamps=True, compression="snappy")
    elif form == "feather":
        feather.write_feather(table, path)
    else:
        make = ipc.new_stream if form == "stream" else ipc.new_file
        with make(path, table.schema) as out:
            out.write_table(table)
    return "t"


FORMS = ["parquet", "parquet of Spark", "feather", "arrow", "stream"]


def shown(trace):
    return trace.tree(), trace.status, trace.response, [span.status for span in trace.spans]


@pytest.fixture
def expected(folder):
    (folder / "expected.json").write_text(json.dumps(AGENT))
    return shown(read_traces("expected.json")[0])


@pytest.mark.parametrize("form", FORMS)
def test_a_view_with_a_row_for_each_trace(arrow, form, folder, expected):
    rows = [unified_row(AGENT | {"info": AGENT["info"] | {"trace_id": f"tr-{number}"}}) for number in range(5)]

    found = list(stored_traces([written(arrow_table(rows), form, folder)]))

    assert [(each.trace.id, each.where) for each in found] == [(f"tr-{k}", f"t, row {k + 1}") for k in range(5)]
    assert [(shown(each.trace), dict(each.trace.tags)) for each in found] == [(expected, {"team": "red"})] * 5


@pytest.mark.parametrize("form", FORMS)
def test_a_table_with_a_row_for_each_span_in_any_order_and_twice(arrow, form, folder, expected):
    rows = span_rows(AGENT)
    other = [row | {"trace_id": "f" * 32} for row in span_rows(stored("other"))]

    first, second = read_traces(written(arrow_table([*rows[::-1], *other, *rows]), form, folder))

    assert (shown(first), second.name, first.problems, second.problems) == (expected, "other", (), ())


def test_the_rows_of_spans_may_stand_in_several_files_of_a_folder(arrow, folder, expected):
    from pyarrow import parquet

    from pytest_mlflow_traces.cli.trace_sets import files_of

    (folder / "spans").mkdir()
    for number, row in enumerate(span_rows(AGENT)):
        parquet.write_table(arrow_table([row]), folder / "spans" / f"part-{number}.snappy.parquet")

    (found,) = stored_traces(files_of("spans"))

    assert shown(found.trace) == expected


def test_a_folder_of_delta_is_no_table(folder):
    from pytest_mlflow_traces.cli.trace_sets import files_of

    (folder / "spans" / "_delta_log").mkdir(parents=True)

    says = "spans: a Delta table, whose files hold deleted rows, too; save it as Parquet"
    with pytest.raises(ValueError, match=exactly(says)):
        list(files_of("spans"))


def test_attributes_in_a_struct_lack_what_is_null_there(arrow, folder):
    """As pandas has columns of dicts: each struct has the fields of all."""
    row = unified_row(AGENT)
    table = arrow.Table.from_pylist([{"trace_id": "tr-5", "spans": row["spans"]}])

    (trace,) = read_traces(written(table, "parquet", folder))

    assert "mlflow.spanOutputs" in trace.roots[0].attributes
    assert "mlflow.spanOutputs" not in trace.spans[1].attributes


def test_a_column_of_variant_says_how_to_save_it(arrow, folder):
    rows = [row | {"attributes": {"metadata": b"\x01", "value": b"\x02"}} for row in span_rows(AGENT)]

    says = "the column `attributes` is a VARIANT in its binary form; save `to_json(attributes) AS attributes`"
    with pytest.raises(ValueError, match=exactly(f"t, row 1: {says}")):
        read_traces(written(arrow.Table.from_pylist(rows), "parquet", folder))


def test_a_column_of_variant_as_json_is_read(arrow, folder, expected):
    rows = [row | {"attributes": json.dumps(row["attributes"])} for row in span_rows(AGENT)]

    (trace,) = read_traces(written(arrow.Table.from_pylist(rows), "parquet", folder))

    assert shown(trace) == expected


@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
def test_a_table_of_something_else_is_named_by_its_columns(arrow, form, folder):
    says = "t: not a table of traces: it has no column `trace`, no `trace_id` with `spans`, and its columns are 'price'"

    with pytest.raises(ValueError, match=exactly(says)):
        read_traces(written(arrow.Table.from_pylist([{"price": 5}]), form, folder))


@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
def test_a_file_that_is_cut_off(arrow, form, folder):
    path = folder / written(arrow_table([unified_row(AGENT)]), form, folder)
    path.write_bytes(path.read_bytes()[:-300])

    with pytest.raises(ValueError, match=r"\At: no (Parquet|Arrow|Arrow stream) that can be read: "):
        read_traces("t")


def test_standard_input(arrow, folder, monkeypatch, expected):
    data = (folder / written(arrow_table([unified_row(AGENT)]), "parquet", folder)).read_bytes()

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(data)))

    assert [shown(trace) for trace in read_traces("-")] == [expected]


def test_without_pyarrow_the_error_says_what_to_install(folder):
    (folder / "t").write_bytes(b"PAR1 and more")
    code = """
import sys
sys.modules["pyarrow"] = None
from pytest_mlflow_traces import read_traces
try:
    read_traces("t")
except ValueError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "t: Parquet, which needs pyarrow: pip install 'pytest-mlflow-traces[tables]'\n"


def test_memory_does_not_grow_with_a_file_of_parquet(arrow, folder):
    from pyarrow import parquet

    rows = [unified_row(stored(node("agent", outputs=f"{number} {'x' * 2000}"))) for number in range(2000)]
    parquet.write_table(arrow_table(rows), folder / "t", row_group_size=100)
    del rows

    tracemalloc.start()
    count = sum(1 for _ in stored_traces(["t"]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (count, peak < 3_000_000) == (2000, True)


# -- what mlflow.search_traces() returns


@pytest.fixture(scope="module")
def searched():
    """Return the table that MLflow makes of two traces, and their trees."""
    pytest.importorskip("pandas", reason="only the full MLflow makes tables")
    import mlflow

    from pytest_mlflow_traces import capture_traces

    with capture_traces() as traces:
        for question in ("why?", 'a "quoted",\nlong ünïcode one'):
            with mlflow.start_span("agent", span_type="AGENT") as agent:
                agent.set_inputs({"question": question})
                mlflow.update_current_trace(tags={"team": "red"})
                with mlflow.start_span("search", span_type="TOOL") as search:
                    search.set_outputs(question * 50_000)  # longer than a field of CSV may be by default
        table = mlflow.search_traces(return_type="pandas")
        assert len(table) == 2
        return table, {trace.id: trace for trace in traces}


WRITERS = {
    "records": lambda table, path: table.to_json(path, orient="records"),
    "columns": lambda table, path: table.to_json(path),
    "lines": lambda table, path: table.to_json(path, orient="records", lines=True),
    "indented": lambda table, path: table.to_json(path, orient="records", indent=2),
    "CSV": lambda table, path: table.to_csv(path),
    "CSV without index": lambda table, path: table.to_csv(path, index=False),
    "CSV of Windows": lambda table, path: table.to_csv(path, encoding="utf-8-sig", lineterminator="\r\n"),
    "a column": lambda table, path: table[["trace"]].to_csv(path, index=False),
    "without the column": lambda table, path: table.drop(columns="trace").to_json(path, orient="records"),
}


@pytest.mark.parametrize("form", WRITERS)
def test_a_table_of_search_traces(searched, form, folder):
    table, captured = searched
    WRITERS[form](table, "t")

    found = read_traces("t")

    assert {trace.id for trace in found} == set(captured)
    for trace in found:
        assert trace == captured[trace.id].to_pattern()
        assert (trace.request, trace.spans[1].outputs) == (
            captured[trace.id].request,
            captured[trace.id].spans[1].outputs,
        )
        assert dict(trace.tags) == {"team": "red"}


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_a_table_of_search_traces_by_arrow(arrow, searched, form, folder):
    table, captured = searched
    getattr(table, f"to_{form}")("t")

    assert {trace.id: trace.tree() for trace in read_traces("t")} == {
        key: trace.tree() for key, trace in captured.items()
    }


def test_rows_of_csv_say_where_they_stand(folder):
    rows = [{"trace_id": str(k), "request": "two\nlines", "trace": line("agent", id=str(k))} for k in range(2)]
    with (folder / "t").open("w", newline="") as out:
        writer = csv.DictWriter(out, ["trace_id", "request", "trace"])
        writer.writeheader()
        writer.writerows(rows)
        out.write("\r\n")

    assert [each.where for each in stored_traces(["t"])] == ["t, line 2", "t, line 4"]


@pytest.mark.parametrize("without", [(), ("events",)])
def test_a_table_of_spans_as_csv_has_json_in_its_fields(folder, expected, without):
    rows = span_rows(AGENT)
    with (folder / "t").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        for row in rows:
            said = {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in row.items()}
            writer.writerow(said | dict.fromkeys(without, ""))

    assert [shown(trace) for trace in read_traces("t")] == [expected]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"trace_id,trace\ntr-1\n", "t, line 2: 1 fields, and 2 columns"),
        (b'trace_id,trace\n2,"x', "t, line 2: no CSV: unexpected end of data"),
        (b"trace_id,trace\n1,\xff\n", "t, line 2: no UTF-8 at byte 3"),
        (b"trace_id,trace\n1,nonsense\n", "t, line 2: the column `trace` is no JSON: nonsense"),
        (b"trace_id,state\n1,OK\n", "t, line 2: a row of a table of traces, without the column `trace` or `spans`"),
        (b"price,id\n1,2\n", "t, line 1: no JSON at column 1: Expecting value"),
        (b"SQLite format 3\x00", "t: a database of SQLite; name it as a tracking URI, sqlite:///FILE"),
        (b"FEA1", "t: Feather of version 1; write it again with a pyarrow of today"),
        (b"Obj\x01", "t: Avro; write it as Parquet"),
        (b"ORC", "t: ORC; write it as Parquet"),
        ("{}".encode("utf-16"), "t: text in UTF-16, as PowerShell writes it; write UTF-8"),
        (b'{"a": "\x01"}', "t, line 1: no JSON at column 8: Invalid control character at"),
    ],
)
def test_what_is_wrong_with_a_table_or_a_file(content, says, folder):
    (folder / "t").write_bytes(content)

    with pytest.raises(ValueError, match=exactly(says)):
        read_traces("t")


@pytest.mark.parametrize("content", [b"trace_id,trace\n1," + b"x" * 2000, b"\n" + b"\x0a\x01" * 1000])
def test_nothing_without_end_is_read_to_its_end(content, folder, monkeypatch):
    monkeypatch.setattr(objects, "LONGEST_LINE", 1000)
    (folder / "t").write_bytes(content)

    with pytest.raises(ValueError, match=r"\At(, line 2)?: longer than 0 MiB"):
        read_traces("t")


def test_reading_csv_leaves_its_limit_as_it_was(folder):
    (folder / "t").write_text("trace_id,trace\n1,{}\n")
    before = csv.field_size_limit()

    with pytest.raises(ValueError, match="not a trace"):
        read_traces("t")

    assert csv.field_size_limit() == before


# -- tags beside a table of spans


@pytest.mark.parametrize("order", [["spans", "tags"], ["tags", "spans"]])
def test_tags_stand_in_another_file_than_the_spans(arrow, folder, order):
    from pyarrow import parquet

    rows = span_rows(stored("agent"))
    parquet.write_table(arrow_table(rows), folder / "spans")
    said = {"annotation_type": "TAG", "name": "team", "updated_at": "2026-01-01T00:00:00Z"}
    (folder / "tags").write_text(
        "".join(
            json.dumps(said | {"target_id": f"tr-{trace_id}", "value": value}) + "\n"
            for trace_id, value in [(rows[0]["trace_id"], '"red"'), ("f" * 32, '"blue"')]
        )
    )

    missed = []
    (found,) = stored_traces(order, miss=missed.append)

    assert (dict(found.trace.tags), found.where, missed) == ({"team": "red"}, "spans, row 1", [])


def test_a_file_of_annotations_alone_has_no_traces(arrow, folder):
    from pyarrow import parquet

    table = arrow.Table.from_pylist(
        [{"target_id": "a", "annotation_type": "TAG", "name": "team", "value": "red", "updated_at": 5}]
    )
    parquet.write_table(table, folder / "t")

    assert read_traces("t") == []


def test_a_table_of_annotations_without_their_time_is_named_by_what_it_lacks(arrow, folder):
    table = arrow.Table.from_pylist([{"trace_id": "a", "annotation_type": "TAG", "name": "team", "value": "red"}])

    says = "t: not a table of annotations: for `_otel_annotations` it lacks 'updated_at'"
    with pytest.raises(ValueError, match=exactly(says)):
        read_traces(written(table, "parquet", folder))
