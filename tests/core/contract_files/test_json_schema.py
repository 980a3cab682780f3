"""The JSON Schema beside the model is what the model says, for editors that complete and check contract files."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pydantic
import pytest

import pytest_mlflow_traces
from pytest_mlflow_traces.core.contract_files import model
from pytest_mlflow_traces.core.contract_files.places import decoded
from tests.core.contract_files.test_reading import WHOLE

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema checks the schema of contract files")
SHIPPED = Path(pytest_mlflow_traces.__file__).parent / "core/contract_files/contract.schema.json"
FILES = sorted((Path(__file__).parents[3] / "reference_agent/contracts").glob("*.toml"))


def errors(text):
    validator = jsonschema.Draft202012Validator(json.loads(SHIPPED.read_text()))
    return [(error.json_path, error.message) for error in validator.iter_errors(decoded(text))]


@pytest.mark.skipif(pydantic.VERSION.startswith(("2.7.", "2.8.", "2.9.")), reason="this pydantic writes it otherwise")
def test_it_is_what_the_model_says():
    command = "python -m pytest_mlflow_traces.core.contract_files.model"

    assert json.loads(SHIPPED.read_text()) == model.json_schema(), f"write it anew: {command} > {SHIPPED.name}"


def test_it_is_a_schema_that_accepts_contracts():
    jsonschema.Draft202012Validator.check_schema(json.loads(SHIPPED.read_text()))

    assert errors(WHOLE) == []
    assert FILES
    assert [error for file in FILES for error in errors(file.read_text())] == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('nevr = ["x"]', "$"),
        ('never = "x"', "$.never"),
        ("never = []", "$.never"),
        ("[budget]\nlatency = 3", "$.budget.latency"),
        ('[tags]\na = { type = "in" }', "$.tags.a"),
        ('[[order]]\neach = "a"\nper = "sesion"', "$.order[0].per"),
        ('[[contract]]\nhas = ["x"]', "$.contract[0]"),
        ('expect = ["x"]', "$.expect[0]"),
    ],
)
def test_it_refuses_what_is_none(text, where):
    assert [path for path, _ in errors(f'format = 1\nname = "c"\n{text}\n')] == [where]


def test_its_command_prints_it(capsys):
    runpy.run_path(model.__file__, run_name="__main__")

    assert json.loads(capsys.readouterr().out) == model.json_schema()
