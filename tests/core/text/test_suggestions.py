import pytest

from pytest_mlflow_traces.core.text.suggestions import listed, nearest, unknown_keywords

STATUSES = ("OK", "ERROR", "UNSET")


def test_words_are_listed_in_quotes_and_in_their_order():
    assert listed(["b", "a"]) == "'b', 'a'"
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("ok", "; did you mean 'OK'?"),
        ("EROR", "; did you mean 'ERROR'?"),
        ("unset", "; did you mean 'UNSET'?"),
        ("SUCCESS", ""),
        ("", ""),
        ("x" * 100_000, ""),
    ],
)
def test_the_nearest_word_is_suggested_where_one_is_near(word, suggestion):
    assert nearest(word, STATUSES) == suggestion


def test_without_legal_words_nothing_is_near():
    assert nearest("ok", []) == ""


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (["naem"], "span(): unknown keyword 'naem' (legal: 'name', 'type'); did you mean 'name'?"),
        (["zzz"], "span(): unknown keyword 'zzz' (legal: 'name', 'type')"),
        (
            ["naem", "zzz", "tpye"],
            "span(): unknown keywords 'naem', 'zzz', 'tpye' (legal: 'name', 'type'); did you mean 'name', 'type'?",
        ),
        (["nam", "naem"], "span(): unknown keywords 'nam', 'naem' (legal: 'name', 'type'); did you mean 'name'?"),
    ],
)
def test_unknown_keywords_are_a_type_error_with_the_legal_ones(unknown, message):
    error = unknown_keywords("span()", iter(unknown), iter(["name", "type"]))

    assert isinstance(error, TypeError)
    assert str(error) == message
