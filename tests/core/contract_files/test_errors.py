"""What is wrong with the text of a contract is said with its place, by exact texts."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import Contract
from pytest_mlflow_traces.core.contract_files.places import ContractFileError, Places
from tests.support.messages import exactly

HEAD = 'format = 1\nname = "c"\n'
TABLE = (
    "'name', 'about', 'applies_to', 'only', 'shape', 'has', 'never', "
    "'order', 'budget', 'tags', 'metadata', 'expect', 'contract'"
)
BUDGET = "'latency', 'latency_of', 'self_time_of', 'tokens', 'cost_usd', 'calls', 'p95_of'"
ORDER = "'each', 'never', 'after', 'before', 'inside', 'since', 'until', 'same', 'per', 'if_present'"
EXPECTING = "'shape', 'has', 'never', 'order', 'budget', 'tags', 'metadata', 'expect', 'contract'"
TAG = (
    "'type', 'values', 'items', 'ge', 'gt', 'le', 'lt', 'multiple_of', "
    "'min_length', 'max_length', 'pattern', 'optional'"
)
TYPES = "'str', 'int', 'float', 'bool', 'list[str]', 'list[int]', 'list[float]', 'list[bool]'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: the format is missing: begin with `format = 1`"),
        ('name = "c"\n', "line 1, column 1: the format is missing: begin with `format = 1`"),
        (
            'format = 2\nname="c"\nfoo=1\n',
            (
                "line 1, column 1: format 2 is newer than 1, the newest that this version reads: update pytest-m"
                "lflow-traces"
            ),
        ),
        ('format = "1"\n', "line 1, column 1: format: expected 1, got '1'"),
        ('format = true\nname="c"', "line 1, column 1: format: expected 1, got True"),
        ("format = 1\n", "line 1, column 1: name is missing"),
        (HEAD + "", f"line 1, column 1: the contract 'c' expects nothing: give it one of {EXPECTING}"),
        (
            HEAD + 'nevr = ["x"]\n',
            f"line 3, column 1: unknown key 'nevr' (legal: {TABLE}, 'format'); did you mean 'never'?",
        ),
        (HEAD + 'never = "x"\n', "line 3, column 1: never: expected a list, got 'x'"),
        (HEAD + "never = []\n", "line 3, column 1: never: expected a list of at least one, got []"),
        (HEAD + "never = [1]\n", "line 3, column 10: never: expected a text in quotes, got 1"),
        (
            HEAD + 'never = ["x", "y TOOL TOOL"]\n',
            (
                "line 3, column 23: never: expected a status, a field, a quantifier, `...` or the end of the lin"
                "e, got `TOOL`\n"
                "    y TOOL TOOL\n"
                "           ^"
            ),
        ),
        (HEAD + 'never = ["a ?"]\n', "line 3, column 10: never: expected a pattern of one span, got 'a ?'"),
        (HEAD + 'name = "d"\n', "line 3, column 1: 'name' stands here twice; the first is on line 2"),
        (
            HEAD + '[budget]\ntokens=1\n[budget]\nlatency="1s"\n',
            "line 5, column 2: 'budget' stands here twice; the first is on line 3",
        ),
        (HEAD + 'has = ["x"\n', "line 4, column 1: no TOML: Unclosed array"),
        (HEAD + 'has = ["x]\n', "line 3, column 8: a string that does not end: the closing quotes are missing"),
        (
            HEAD + 'shape = """\nagent AGENT\n  plan TOL OKK\n"""\n',
            (
                "line 5, column 12: shape: expected a status, a field, a quantifier, `...` or the end of the lin"
                "e, got `OKK`; did you mean 'OK'?\n"
                "      plan TOL OKK\n"
                "               ^"
            ),
        ),
        (
            HEAD + "shape = '''\nagent\n   plan\n'''\n",
            ("line 5, column 4: shape: expected an indent of two spaces a level, got `plan`\n       plan\n       ^"),
        ),
        (
            HEAD + 'shape = "agent\\n  \\"pl\\\\\\\\an\\" TOOL TOOL"\n',
            (
                "line 3, column 37: shape: expected a status, a field, a quantifier, `...` or the end of the lin"
                "e, got `TOOL`\n"
                '      "pl\\\\an" TOOL TOOL\n'
                "                    ^"
            ),
        ),
        (HEAD + 'shape = ""\n', "line 3, column 10: shape: expected a line with a span or a group"),
        (
            HEAD + '[[order]]\neach = "a"\n',
            "line 3, column 3: a rule of order has one of 'after', 'before', 'inside', got none",
        ),
        (HEAD + '[[order]]\nafter = "a"\n', "line 3, column 3: a rule of order has one of 'each', 'never', got none"),
        (
            HEAD + '[[order]]\neach="b"\nnever = "a"\n',
            "line 5, column 1: a rule of order has one of 'each', 'never', got 'each', 'never'",
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nuntil="c"\n',
            "line 6, column 1: until stands beside before, not beside after",
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nsame="input.x"\n',
            (
                "line 6, column 1: each(...).after(): same: 'input.x' begins with none of 'inputs', 'outputs', '"
                "attributes'; did you mean 'inputs'?"
            ),
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nbefore="x"\n',
            "line 6, column 1: a rule of order has one of 'after', 'before', 'inside', got 'after', 'before'",
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nper="sesion"\n',
            "line 6, column 1: per: expected 'trace' or 'session', got 'sesion'",
        ),
        (
            HEAD + '[[order]]\nnever="b"\nif_present=true\n',
            "line 5, column 1: never holds where no such span is: leave if_present out",
        ),
        (
            HEAD + '[[order]]\nnever="b"\nsame="inputs.x"\n',
            "line 3, column 3: a rule of order has one of 'after', 'before', 'inside', got none",
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nsince="c"\nsame=5\n',
            "line 7, column 1: same: expected a text in quotes, a list or a table, got 5",
        ),
        (
            HEAD + '[[order]]\neach="b"\nafter="a"\nsame={inputs.a="inputs.b"}\n',
            "line 6, column 7: inputs: expected a text in quotes, got {'a': 'inputs.b'}",
        ),
        (HEAD + "order = []\n", "line 3, column 1: order: expected a list of at least one, got []"),
        (
            HEAD + '[[order]]\neech="b"\nafter="a"\n',
            f"line 4, column 1: unknown key 'eech' (legal: {ORDER}); did you mean 'each'?",
        ),
        (HEAD + "[budget]\n", f"line 3, column 2: [budget] limits nothing: give it one of {BUDGET}"),
        (
            HEAD + '[budget]\nlatncy="3s"\n',
            f"line 4, column 1: unknown key 'latncy' (legal: {BUDGET}); did you mean 'latency'?",
        ),
        (
            HEAD + '[budget]\nlatency="3x"\n',
            "line 4, column 1: latency: '3x' is not a duration; write a number and one of ns, us, ms, s, m, h: '800ms'",
        ),
        (HEAD + "[budget]\nlatency=3\n", "line 4, column 1: latency: expected a text in quotes, got 3"),
        (HEAD + "[budget]\ntokens=true\n", "line 4, column 1: tokens: expected a whole number, got True"),
        (HEAD + "[budget]\ntokens=-1\n", "line 4, column 1: tokens cannot be negative, got -1"),
        (
            HEAD + "[budget]\nlatency_of={ search = 3 }\n",
            "line 4, column 14: search: expected a text in quotes or a table, got 3",
        ),
        (
            HEAD + '[budget]\nlatency_of={ search = "3x" }\n',
            (
                "line 4, column 14: latency_of[span('search')]: '3x' is not a duration; write a number and one o"
                "f ns, us, ms, s, m, h: '800ms'"
            ),
        ),
        (
            HEAD + '[budget]\nlatency_of={ "search TOOL TOOL" = "3s" }\n',
            (
                "line 4, column 14: search TOOL TOOL: expected a status, a field, a quantifier, `...` or the end"
                " of the line, got `TOOL`\n"
                "    search TOOL TOOL\n"
                "                ^"
            ),
        ),
        (
            HEAD + "[budget]\ncalls={ search = [3,1] }\n",
            "line 4, column 9: calls[span('search')]: (3, 1) has its min above its max: no number is that",
        ),
        (
            HEAD + "[budget]\ncalls={ search = [1,2,3] }\n",
            "line 4, column 9: search: expected a whole number, a table or a list of two, got [1, 2, 3]",
        ),
        (
            HEAD + "[budget]\ncalls={ search = { limt = 3 } }\n",
            "line 4, column 20: unknown key 'limt' (legal: 'limit', 'if_present'); did you mean 'limit'?",
        ),
        (
            HEAD + '[budget]\ncalls={ search = "x" }\n',
            "line 4, column 9: search: expected a whole number, a list or a table, got 'x'",
        ),
        (HEAD + "[budget]\ncalls={}\n", "line 4, column 1: calls={} limits nothing; name a span, or leave it out"),
        (
            HEAD + '[budget]\ncalls={a=1," a"=2}\n',
            ("line 4, column 12:  a: expected an indent of two spaces a level, got `a`\n     a\n     ^"),
        ),
        (HEAD + '[budget]\ncalls={a=1,"a ..."=2}\n', "line 4, column 12: calls has two limits for span('a')"),
        (HEAD + "budget = 5\n", "line 3, column 1: budget: expected a table, got 5"),
        (HEAD + "[tags]\n", "line 3, column 2: [tags] names no tag"),
        (
            HEAD + '[tags]\na="string"\n',
            f"line 4, column 1: unknown type 'string' (legal: {TYPES}, or a list of texts); did you mean 'str'?",
        ),
        (
            HEAD + '[tags]\na="Str"\n',
            f"line 4, column 1: unknown type 'Str' (legal: {TYPES}, or a list of texts); did you mean 'str'?",
        ),
        (HEAD + "[tags]\na=[]\n", "line 4, column 1: [] allows no text at all: name those that are allowed"),
        (HEAD + "[tags]\na=5\n", "line 4, column 1: a: expected a text in quotes, a list or a table, got 5"),
        (HEAD + "[tags]\na={}\n", "line 4, column 1: say its type, or its values and nothing else"),
        (
            HEAD + '[tags]\na={type="int", ge=0.5}\n',
            "line 4, column 1: ge is a whole number where the type is 'int', got 0.5",
        ),
        (
            HEAD + '[tags]\na={type="int", min_length=3}\n',
            "line 4, column 1: min_length is no limit of the type 'int' (legal: 'ge', 'gt', 'le', 'lt', 'multiple_of')",
        ),
        (
            HEAD + '[tags]\na={type="str", patern="x"}\n',
            f"line 4, column 16: unknown key 'patern' (legal: {TAG}); did you mean 'pattern'?",
        ),
        (
            HEAD + '[tags]\na={type="str", pattern="("}\n',
            "line 4, column 1: pattern: no regular expression: unclosed group",
        ),
        (
            HEAD + '[tags]\na={type="list"}\n',
            'line 4, column 1: say what the items are: type = "list[str]", or items = ["a", "b"]',
        ),
        (
            HEAD + '[tags]\na={type="list", items=["a,b"]}\n',
            "line 4, column 1: the items of a ListTag are separated by commas, so none can be 'a,b'",
        ),
        (
            HEAD + '[tags]\nschema="a:b"\nx="str"\n',
            "line 5, column 1: the schema in code says it all: nothing stands beside it",
        ),
        (HEAD + '[tags]\nschema="a b:c"\n', "line 4, column 1: schema: write code as module:NAME, got 'a b:c'"),
        (
            HEAD + '[tags]\n"mlflow.x"="str"\n',
            "line 4, column 1: 'mlflow.x' is MLflow's own, and its tags never count: does it stand in [metadata]?",
        ),
        (HEAD + '[tags]\n"*"="int"\n', "line 4, column 1: '*' is \"str\": tags that are not named may be any text"),
        (
            HEAD + '[metadata]\n"mlflow.trace.sesion"="str"\n',
            (
                "line 4, column 1: Metadata('mlflow.trace.sesion'): MLflow has no such metadata; did you mean 'm"
                "lflow.trace.session'?"
            ),
        ),
        (
            HEAD + '[tags]\na={values=["x"], type="str"}\n',
            "line 4, column 1: say its type, or its values and nothing else",
        ),
        (HEAD + '[tags]\n"a$b"="str"\n', "line 4, column 1: no tag can have a name with '$'"),
        (HEAD + '[tags]\n""="str"\n', "line 4, column 1: no tag can have the empty name"),
        (HEAD + 'expect = ["x"]\n', "line 3, column 11: expect: write code as module:NAME, got 'x'"),
        (HEAD + "expect = []\n", "line 3, column 1: expect: expected a list of at least one, got []"),
        (
            HEAD + '[[contract]]\nname="x"\n',
            f"line 3, column 3: the contract 'x' expects nothing: give it one of {EXPECTING}",
        ),
        (HEAD + '[[contract]]\nhas=["x"]\n', "line 3, column 3: name is missing"),
        (
            HEAD + '[[contract]]\nname="x"\nhsa=["x"]\n',
            f"line 5, column 1: unknown key 'hsa' (legal: {TABLE}); did you mean 'has'?",
        ),
        (HEAD + '[contract]\nname="x"\n', "line 3, column 2: contract: expected a list, got {'name': 'x'}"),
        (HEAD + 'only = ["x"]\n', f"line 1, column 1: the contract 'c' expects nothing: give it one of {EXPECTING}"),
        (HEAD + 'only = [""]\nhas=["x"]\n', "line 3, column 10: only: expected a line with a span or a group"),
        ('format = 1\nname = " "\nhas=["x"]\n', "line 2, column 1: the name is empty; reports call the contract by it"),
        ('format = 1\nname = 5\nhas=["x"]\n', "line 2, column 1: name: expected a text in quotes, got 5"),
        (
            HEAD + 'about=1979-05-27\nhas=["x"]\n',
            "line 3, column 1: about: expected a text in quotes, got datetime.date(1979, 5, 27)",
        ),
        (HEAD + "a.b.c = 1\n", f"line 3, column 1: unknown key 'a' (legal: {TABLE}, 'format')"),
        (HEAD + "has.x = 1\n", "line 3, column 1: has: expected a list, got {'x': 1}"),
        ("x = [\n", "line 2, column 1: no TOML: Invalid value"),
        (HEAD + 'has = ["a",, "b"]\n', "line 3, column 12: no TOML: Invalid value"),
        (HEAD + 'shape = "a ?"\n[x\n', "line 4, column 3: no TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, message):
    with pytest.raises(ContractFileError, match=exactly(message)) as caught:
        Contract.from_toml(text)

    assert message.startswith(f"line {caught.value.line}, column {caught.value.column}: ")


def test_line_ends_of_windows_move_no_column():
    text = (HEAD + 'about = "x"\nshape = """\nagent\n  plan TOOL TOOL\n"""\n').replace("\n", "\r\n")

    with pytest.raises(ContractFileError, match=r"\Aline 6, column 13: shape: expected a status"):
        Contract.from_toml(text)


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ('"""a\n  b TOOL TOOL"""', (4, 10)),
        ('"""\\\n  a \\\n TOOL TOOL"""', (5, 7)),
        ("'''a TOOL TOOL'''", (3, 19)),
        ("'a TOOL TOOL'", (3, 17)),
        ('"\\u0061 TOOL TOOL"', (3, 22)),
        ('"\\U00000061 TOOL TOOL"', (3, 26)),
        ('"\\"a\\\\\\\\b\\" TOOL TOOL"', (3, 26)),
    ],
)
def test_the_place_is_that_in_the_file_however_a_text_is_written(shape, place):
    with pytest.raises(ContractFileError) as caught:
        Contract.from_toml(f"{HEAD}shape = {shape}\n")

    assert caught.value.place == place


@pytest.mark.parametrize("text", ["a b = 1", '"\\q" = 1', "a = [1 2]", "[a", "a = {b"])
def test_what_is_no_toml_is_said_by_the_parser(text):
    with pytest.raises(ContractFileError, match=r"\Aline [12], column \d+: no TOML: "):
        Contract.from_toml(text)


def test_what_is_not_there_is_missing_from_what_is_above_it():
    places = Places("a = 1\n[b]\nc = 2\n")

    assert places.error("no d", ("b", "d")).place == (2, 2)
    assert places.error("no d", ("d",)).place == (1, 1)
