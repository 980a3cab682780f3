"""A text that is made to hurt ends in an error, soon and by name; and nothing of a text runs when it is read."""

from __future__ import annotations

import sys
import time

import pytest

from pytest_mlflow_traces import Contract
from pytest_mlflow_traces.core.contract_files.places import LONGEST, ContractFileError

HEAD = 'format = 1\nname = "c"\n'
MOST = LONGEST - 100


def repeated(text, size=MOST):
    return text * (size // len(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("has = " + repeated("["), "at most 32 brackets"),
        ("has = " + repeated("{ a = "), "at most 32 brackets"),
        ("contract = " + repeated("[{ name = 'a', contract = "), "at most 32 brackets"),
        (repeated("a.") + "a = 1", "a key has at most 32 parts"),
        ("[" + repeated("a.") + "a]", "a key has at most 32 parts"),
        (f"{repeated('a')} = 1", "unknown key 'aaa"),
        (f'"{repeated("u0041")}" = 1', "unknown key"),
        (f"[budget]\ntokens = {repeated('9')}", "a number has at most 400 digits"),
        (f"[budget]\ntokens = 0x{repeated('f')}", "a number has at most 400 digits"),
        (f"[budget]\ncost_usd = 1.{repeated('9')}", "a number has at most 400 digits"),
        (repeated("x = 1\n"), "'x' stands here twice"),
        (repeated("[x]\n"), "'x' stands here twice"),
        (f"has = [{repeated('1, ')}]", "has: expected a text in quotes"),
        (repeated("[[contract]]\nname = 'a'\n"), "expects nothing"),
        ("".join(f"[{'[' + '.'.join(['contract'] * n)}]]\nname = 'a'\n" for n in range(1, 50)), "at most 32 parts"),
        ('has = """' + repeated('\\"""'), "a string that does not end"),
        ('has = "' + repeated('\\"'), "a string that does not end"),
        (repeated('"'), "no TOML"),
        (repeated("]"), "no TOML"),
        (repeated("\0"), "no TOML"),
        (f"shape = 'a inputs={repeated('[')}'", "nested at most 100 deep"),
        (f"shape = '/{repeated('(')}/'", "expected a regex"),
        (f"[tags]\na = {{ type = 'str', pattern = '{repeated('(')}' }}", "no regular expression"),
        (f"[tags]\na = '{repeated('strx')}'", "unknown type"),
    ],
    ids=range(24),
)
def test_it_ends_in_an_error_soon(text, message):
    begin = time.process_time()

    with pytest.raises(ContractFileError, match=message) as caught:
        Contract.from_toml(HEAD + text)

    assert len(str(caught.value)) < 1_000
    assert time.process_time() - begin < 5
    with pytest.raises(ContractFileError, match="at most 262,144 characters, got 1,0"):
        Contract.from_toml(HEAD + text + "#" * (1_000_100 - len(text)))


def test_nothing_that_it_names_is_imported_before_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "named_by_a_contract.py").write_text("NAME = 5")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = f'{HEAD}expect = ["named_by_a_contract:NAME"]\n[tags]\nschema = "named_by_a_contract:NAME"\n'

    contract = Contract.from_toml(text)

    assert Contract.from_toml(contract.to_toml()) == contract
    assert "named_by_a_contract" not in sys.modules
