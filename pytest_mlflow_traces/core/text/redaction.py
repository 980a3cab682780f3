"""Values that look like secrets: found by how well-known ones are written, and never shown."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

_LOOKED_AT = 8192  # characters: more than any server keeps
# the lookahead asks for a digit: "sk-learn-pipeline" is not a key, "basic understanding" are not credentials
SECRETS = {
    "a token": re.compile(
        r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|hf_[A-Za-z]{20,}"
        r"|npm_\w{30,}|ya29\.[\w-]{20,}|dapi[0-9a-f]{16,}|dose[0-9a-f]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    ),
    "a key": re.compile(
        r"\b(?:sk-(?=[\w-]*\d)[\w-]{16,}|(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[\w-]{20,})"
        r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?:(?s:.{0,20000}?)-----END [A-Z ]{0,20}PRIVATE KEY-----|(?s:.{0,20000}))"
    ),
    "credentials": re.compile(
        r"\b(?i:bearer|basic)\s{1,9}(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}|://[^/\s:@]{1,99}:[^/\s@]{1,99}@"
    ),
    "an e-mail address": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,}\b", re.IGNORECASE),
}
SECRET_NAME = re.compile(
    r"(?:.*[_.\-/ ])?(?:password|passwd|passphrase|secret|credentials?|(?:api|access|private|secret|auth)[_-]?key"
    r"|token)",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS = re.compile(r"-?[\d.]*|true|false|none|null", re.IGNORECASE)  # has_token = "true"
_SHORTEST = 6
BY_NAME = "a secret, by its name"


def secret_kind(key: object, value: object) -> str | None:
    """Return what kind of secret a value looks like, by itself or by its name; `None` for none.

    >>> secret_kind("contact", "ada@example.com")
    'an e-mail address'
    """
    text = (value if isinstance(value, str) else _code(value))[:_LOOKED_AT]
    for kind, looks in SECRETS.items():
        if looks.search(text):
            return kind
    return BY_NAME if is_named_secret(key, value) else None


def is_named_secret(key: object, value: object) -> bool:
    """Return whether a value is called as secrets are, and is none of what says nothing, as a number.

    >>> is_named_secret("api_key", "correct horse"), is_named_secret("has_token", "true")
    (True, False)
    """
    if not (isinstance(value, str) and isinstance(key, str)) or SECRET_NAME.fullmatch(key) is None:
        return False
    return len(value) >= _SHORTEST and not _HARMLESS.fullmatch(value[:_LOOKED_AT])


def masked(value: object) -> str:
    """Return a value with all but its first characters hidden.

    >>> masked("ada@example.com")
    "'ada'... (15 characters)"
    """
    text = value if isinstance(value, str) else _code(value)
    return f"{text[: min(3, len(text) // 4)]!r}... ({len(text)} characters)"


def redacted(text: str) -> str:
    """Return a text with each secret in it masked.

    >>> redacted("ask ada@example.com, or bob")
    "ask 'ada'... (15 characters), or bob"
    """
    for looks in SECRETS.values():
        text = looks.sub(lambda found: masked(found[0]), text)
    return text


def redacted_values(value: Any, key: str = "") -> Any:
    r"""Return data with each secret in it masked, by its looks or by its key; in JSON that stands in a text, too.

    >>> redacted_values({"inputs": '{"password": "hunter2!"}', "n": 1})
    {'inputs': '{"password": "\'hu\'... (8 characters)"}', 'n': 1}
    """
    if isinstance(value, dict):
        return {name: redacted_values(each, str(name)) for name, each in value.items()}
    if isinstance(value, list):
        return [redacted_values(each, key) for each in value]
    if not isinstance(value, str):
        return value
    if value[:1] in ("{", "[", '"'):
        with suppress(ValueError, RecursionError):
            data = json.loads(value)
            shown = redacted_values(data, key)
            return value if shown == data else json.dumps(shown, ensure_ascii=False)
    return masked(value) if secret_kind(key, value) == BY_NAME else redacted(value)


def shown(key: object, value: object) -> str:
    """Return the code of a value, shortened in the middle, or masked where it looks like a secret."""
    if secret_kind(key, value) is not None:
        return masked(value)
    text = _code(value)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-17:]}"


def _code(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<a {type(value).__name__} whose repr raises {type(error).__name__}>"
