"""Values that look personal or secret: found by how they are written, or by the key that they stand under.

Wider than `redaction`, which guards what is shown: here whatever may be about a person is found, since what is replaced
by mistake costs a look, and what is kept by mistake stays in a repository. Names in the middle of a text are not found,
unless some key of the same trace says that they are names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.text.redaction import SECRET_NAME, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORDS = {
    "a token": "token",
    "a key": "key",
    "credentials": "credentials",
    "an e-mail address": "email",
}
_MORE = {
    "data": re.compile(r"data:[\w/+.-]+;base64,[\w+/=-]{64,}"),  # a picture, a recording
    "password": re.compile(
        r"(?i:password|passwd|pwd|secret|token|api[_-]?key)\s{0,3}[=:]\s{0,3}[\"']?([^\s\"',;&]{4,})"
    ),
    "email": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}%40(?:[\w-]{1,63}\.){1,8}[a-z]{2,}\b", re.IGNORECASE),  # in a URL
    "key": re.compile(r"\b(?:[sprw]k_(?:live|test)_\w{10,}|whsec_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,})"),
    "card": re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "ssn": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    "phone": re.compile(
        r"(?<![\w.+-])(?:\+\d(?:[ ().\-/]{0,2}\d){6,14}|\(\d{2,5}\)[ .-]?\d{3,4}(?:[ .-]?\d{2,4}){1,3}"
        r"|\d{3}[ .-]\d{3}[ .-]\d{4}|0\d{1,4}[ /-]\d{2,8}(?:[ /-]\d{2,8}){0,4})(?!\w)"
    ),
    "ip": re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)"),
    # random, and of no kind that is known: letters of both cases and digits, as no identifier has them at this length
    "token": re.compile(r"(?<![\w+-])(?=[\w+-]*[A-Z])(?=[\w+-]*[a-z])(?=[\w+-]*\d)[\w+-]{32,}|\b[0-9a-f]{40,}\b"),
}
_PEOPLE = (
    "user|customer|client|patient|employee|contact|person|author|owner|member|(?:account_)?holder|recipient|sender|buyer"
    "|seller|passenger|guest|subscriber|student|applicant|caller|card_?holder|assignee|requester"
)
_KEYS = {
    "name": rf"(?:first|middle|last|full|given|family|maiden|display|nick|screen|sur|{_PEOPLE})_?names?|{_PEOPLE}s?",
    "email": "e_?mails?(?:_address(?:es)?)?",
    "phone": "(?:tele)?phones?(?:_(?:number|no))?|mobile(?:_(?:number|no))?|cell(?:_?phone)?|fax|msisdn",
    "ip": "ip|ip_?addr(?:ess)?",
    "address": r"address(?:es)?(?:_?line)?_?\d?|street(?:_.*)?|post(?:al)?_?code|zip(?:_?code)?",
    "birthday": "dob|birth_?(?:day|date)|date_of_birth",
    "number": (
        "ssn|social_security(?:_.*)?|passport(?:_.*)?|national_id|tax_id|driver_?licen[cs]e(?:_.*)?|iban|bic"
        "|(?:credit_)?card(?:_(?:number|no))?|cv[vc]2?|account_(?:number|no)"
    ),
    "id": rf"(?:{_PEOPLE})_id|login",
    "password": "pwd|pin_code|otp|auth(?:orization)?|cookies?|set_cookie|bearer|jwt|signature",
}
_PERSONAL_KEYS = {kind: re.compile(f"(?:.*_)?(?:{regex})") for kind, regex in _KEYS.items()}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s./-]+")
_PARTICLES = {"al", "bin", "da", "de", "del", "den", "der", "di", "la", "le", "van", "von", "y"}
_NAME_WORD = re.compile(r"[^\W\d_][^\W\d_.'\u2019-]*(?:[.'\u2019-][^\W\d_]*)*")


def kind_by_key(key: str) -> str | None:
    """Return what a key says of the value below it, `None` where it says nothing.

    >>> kind_by_key("customerName"), kind_by_key("tool_name")
    ('name', None)
    """
    plain = _CAMEL.sub("_", key).lower()
    if SECRET_NAME.fullmatch(plain):
        return "secret"
    return next((kind for kind, regex in _PERSONAL_KEYS.items() if regex.fullmatch(plain)), None)


def is_name(text: str) -> bool:
    """Return whether a text is written as the name of a person is: two to four words, each with a capital letter.

    >>> is_name("Ada Lovelace"), is_name("web search")
    (True, False)
    """
    words = text.split(" ")
    if not 2 <= len(words) <= 4 or not all(map(_NAME_WORD.fullmatch, words)):
        return False
    return all(word[0].isupper() or word in _PARTICLES for word in words) and words[0][0].isupper()


def found_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield what looks personal or secret in a text, each with its kind.

    >>> list(found_in("Call +1 555 010 9999 or write to ada@example.com"))
    [('email', 'ada@example.com'), ('phone', '+1 555 010 9999')]
    """
    for said, regex in SECRETS.items():
        for match in regex.finditer(text):
            yield _WORDS[said], match[0].removeprefix("://").removesuffix("@")
    for kind, regex in _MORE.items():
        is_valid = _CHECKS.get(kind, _any)
        for match in regex.finditer(text):
            given = match[match.lastindex or 0]
            if is_valid(given):
                yield kind, given


def _any(_text: str) -> bool:
    return True


def _is_card(text: str) -> bool:
    """Return whether the check digit holds (Luhn's)."""
    digits = [int(char) for char in reversed(text) if char.isdigit()]
    doubled = (sum(divmod(2 * each, 10)) for each in digits[1::2])
    return len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= 7


def _is_address(text: str) -> bool:
    return all(int(part) < 256 for part in text.split("."))


_CHECKS: dict[str, Callable[[str], bool]] = {"card": _is_card, "iban": _is_iban, "phone": _is_phone, "ip": _is_address}
