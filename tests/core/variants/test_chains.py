"""The least chain of several lists: it has them all, and is one and the same however they are put together."""

from __future__ import annotations

import itertools
import random

import pytest

from pytest_mlflow_traces.core.variants.chains import Block, Item, joined, strongly_connected


def word(text):
    """Return the chain of a list of spans: `ab(cd)`, those in brackets in any order."""
    blocks, group = [], None
    for letter in text:
        if letter == "(":
            group = []
        elif letter == ")":
            blocks.append(Block(group))
            group = None
        elif group is None:
            blocks.append(Block([Item(letter, 1, 1)]))
        else:
            group.append(Item(letter, 1, 1))
    return blocks


def again(found):
    return [
        Block([Item(each.key, 0 if block.is_choice else each.low, each.high) for each in block.places],
              block.is_choice, block.low)
        for block in found
    ]  # fmt: skip


def said(found):
    blocks = []
    for block in found:
        lines = []
        for each in sorted(block.places, key=lambda each: each.key):
            one = "" if block.is_choice or each.low == each.high == 1 else f"{{{each.low},{each.high}}}"
            lines.append(each.key + one.replace("{0,1}", "?"))
        joint = "|" if block.is_choice else " "
        optional = "?" if block.is_choice and not block.low else ""
        blocks.append(f"({joint.join(lines)}){optional}" if len(lines) > 1 else lines[0])
    return " ".join(blocks)


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (["abc"], "a b c"),
        (["aab"], "a a b"),
        (["abc", "ac"], "a b? c"),
        (["aab", "ab"], "a a? b"),
        (["aab", "aaaab"], "a a a{0,2} b"),
        (["abc", "acb"], "a (b c)"),
        (["abcd", "acbd"], "a (b c) d"),
        (["a(bc)d", "abcd"], "a (b c) d"),
        (["axb", "ayb"], "a (x|y) b"),
        (["axb", "ayb", "ab"], "a (x|y)? b"),
        (["axb", "ayb", "axyb"], "a (x? y?) b"),
        (["x", "y"], "(x|y)"),
        # of x and y it is known that they come in this order, but nothing that is always there stands between
        (["axyb", "ab"], "a (x? y?) b"),
        (["axmyb", "amb"], "a x? m y? b"),
        (["axmyb", "ab"], "a (m? x? y?) b"),
        (["xa", "ax"], "(a x)"),
        (["xa", "ax", "a"], "(a x?)"),
        (["aba", "ab"], "a b a?"),
        (["aba", "ba"], "(a b) a?"),
        (["", "a"], "a?"),
    ],
)
def test_the_least_chain(words, least):
    for some in itertools.permutations(words):
        assert said(joined([word(each) for each in some])) == least


def test_an_order_that_was_asked_for_stays_until_a_list_is_in_another():
    text = [Block([Item(key, 0, 1)]) for key in "xyz"]

    assert said(joined([text, word("xx")])) == "x{0,2} y? z?"
    assert said(joined([text, word("yx")])) == "(x? y?) z?"
    assert said(joined([text, word("zx")])) == "(x? y? z?)"


def accepts(found, letters):
    """Return whether a word is one of a chain's, by trying everything."""
    if not found:
        return not letters
    block, rest = found[0], found[1:]
    for stop in range(len(letters) + 1):
        here = letters[:stop]
        counts = {each.key: here.count(each.key) for each in block.places}
        if sum(counts.values()) != len(here):
            break
        if block.is_choice:
            fits = block.low <= len(here) <= 1
        else:
            fits = all(
                each.low <= counts[each.key] and (each.high is None or counts[each.key] <= each.high)
                for each in block.places
            )
        if fits and accepts(rest, letters[stop:]):
            return True
    return False


def random_word(rng):
    letters = [rng.choice("abcd") for _ in range(rng.randint(0, 5))]
    if rng.random() < 0.5:
        letters.sort()
    text = "".join(letters)
    if len(text) > 2 and rng.random() < 0.3:
        cut = rng.randint(0, len(text) - 2)
        text = f"{text[:cut]}({text[cut : cut + 2]}){text[cut + 2 :]}"
    return text


@pytest.mark.parametrize("seed", range(10))
def test_the_join_is_a_least_upper_bound(seed):
    rng = random.Random(seed)
    for _ in range(100):
        words = [random_word(rng) for _ in range(rng.randint(2, 5))]
        whole = joined([word(each) for each in words])

        assert all(accepts(whole, each.replace("(", "").replace(")", "")) for each in words), (words, said(whole))
        assert said(joined([again(whole)])) == said(whole), words  # it is closed
        for _ in range(3):
            rng.shuffle(words)
            found = word(words[0])
            for each in words[1:]:
                found = again(joined([found, word(each)]))
                assert said(joined([found, word(each)])) == said(joined([found])), words
            assert said(joined([found])) == said(whole), words


def test_components_of_a_long_chain():
    graph = {i: [i + 1] for i in range(5_000)} | {5_000: [4_990]}

    found = strongly_connected(graph)

    assert [len(each) for each in found] == [1] * 4_990 + [11]
    assert found[0] == [0]
