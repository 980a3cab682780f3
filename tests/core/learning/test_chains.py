"""Chains: regular expressions in which each symbol stands once."""

from __future__ import annotations

import itertools
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces.core.learning.chains import chain


def regex(factors):
    """Return a chain as a regular expression of Python, where no factor is in any order."""
    parts = []
    for factor in factors:
        assert not factor.each_once
        quantifier = {(1, 1): "", (0, 1): "?", (1, None): "+", (0, None): "*"}[factor.least, factor.most]
        parts.append(f"[{''.join(sorted(factor.symbols))}]{quantifier}")
    return "".join(parts)


def accepts(factors, word):
    """Return whether a chain accepts a word, by trying each way to cut it."""
    if not factors:
        return not word
    first, *rest = factors
    for end in range(len(word) + 1):
        part = word[:end]
        if not set(part) <= set(first.symbols):
            break
        if first.each_once:
            needed = {symbol for symbol, is_needed in zip(first.symbols, first.each_once, strict=True) if is_needed}
            fits = len(set(part)) == len(part) and needed <= set(part)
        else:
            fits = first.least <= end <= (end if first.most is None else first.most)
        if fits and accepts(rest, word[end:]):
            return True
    return False


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["abc"], "[a][b][c]"),
        (["abbc", "ac"], "[a][b]*[c]"),
        (["ac", "bc"], "[ab][c]"),
        (["ab", "ba", "aab", "abab"], "[ab]+"),
        (["xay", "xbay", "xaby", "xbbaay", "xabay", "xy"], "[x][ab]*[y]"),
        ([""], ""),
    ],
)
def test_words_become_a_chain(words, expected):
    assert regex(chain(words)) == expected


def test_what_stands_once_each_may_stand_in_any_order():
    (factor,) = chain(["abc", "cab", "bca", "ac"])

    assert sorted(zip(factor.symbols, factor.each_once, strict=True)) == [("a", True), ("b", False), ("c", True)]


@given(st.lists(st.text("abcdef", max_size=8), min_size=1, max_size=12))
def test_every_word_is_accepted(words):
    factors = chain(words)

    assert all(accepts(factors, word) for word in words)
    symbols = [symbol for factor in factors for symbol in factor.symbols]
    assert sorted(symbols) == sorted(set("".join(words)))


@st.composite
def sources(draw):
    """Draw a chain in which each symbol stands once."""
    symbols = draw(st.permutations("abcdef").map(lambda each: each[: draw(st.integers(1, 6))]))
    source = []
    while symbols:
        size = draw(st.integers(1, min(3, len(symbols))))
        part, symbols = symbols[:size], symbols[size:]
        source.append((part, *draw(st.sampled_from([(1, 1), (0, 1), (1, 3), (0, 3)]))))
    return source


def words_of(source, random, many):
    for _ in range(many):
        yield "".join(random.choice(part) for part, least, most in source for _ in range(random.randint(least, most)))


@settings(max_examples=50)
@given(sources(), st.integers(0, 1000))
def test_enough_words_of_a_chain_give_it_back(source, seed):
    words = [*words_of(source, Random(seed), 600)]
    factors = chain(words)
    signs = {(1, 1): "", (0, 1): "?", (1, 3): "+", (0, 3): "*"}
    expected = re.compile("".join(f"[{''.join(part)}]{signs[least, most]}" for part, least, most in source))

    assert all(accepts(factors, word) for word in words)
    symbols = [symbol for part, *_ in source for symbol in part]
    for length in range(4):
        for word in itertools.product(symbols, repeat=length):
            if accepts(factors, word):
                assert expected.fullmatch("".join(word)), (factors, word)
