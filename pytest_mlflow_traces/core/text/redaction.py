"""Values that look like secrets: found by how well-known ones are written, and never shown."""

from __future__ import annotations

import re

_LOOKED_AT = 8192  # characters: more than any server keeps
# the lookahead asks for a digit: "sk-learn-pipeline" is not a key, "basic understanding" are not credentials
_SECRETS = {
    "a token": re.compile(
        r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|hf_[A-Za-z]{20,}"
        r"|npm_\w{30,}|ya29\.[\w-]{20,}|dapi[0-9a-f]{16,}|dose[0-9a-f]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.)"
    ),
    "a key": re.compile(
        r"\b(?:sk-(?=[\w-]*\d)[\w-]{16,}|(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[\w-]{20,})|-----BEGIN [A-Z ]{0,20}PRIVATE KEY"
    ),
    "credentials": re.compile(
        r"\b(?i:bearer|basic)\s{1,9}(?=[\w.~+/=-]*\d)[\w.~+/=-]{12,}|://[^/\s:@]{1,99}:[^/\s@]{1,99}@"
    ),
    "an e-mail address": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,}\b", re.IGNORECASE),
}
_REST = {"a token": r"[\w.-]*", "a key": r"(?:(?<=PRIVATE KEY).*)?"}  # its signature, its lines
_WHOLE = [
    re.compile(f"(?:{looks.pattern}){_REST.get(kind, '')}", looks.flags | re.DOTALL) for kind, looks in _SECRETS.items()
]
_NAME = re.compile(
    r"(?:.*[_.\-/ ])?(?:password|passwd|passphrase|secret|credentials?|(?:api|access|private|secret|auth)[_-]?key"
    r"|token)",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS = re.compile(r"-?[\d.]*|true|false|none|null", re.IGNORECASE)  # has_token = "true"
_SHORTEST = 6


def secret_kind(key: object, value: object) -> str | None:
    """Return what kind of secret a value looks like, by itself or by its name; `None` for none.

    >>> secret_kind("contact", "ada@example.com")
    'an e-mail address'
    """
    text = (value if isinstance(value, str) else _code(value))[:_LOOKED_AT]
    for kind, looks in _SECRETS.items():
        if looks.search(text):
            return kind
    named = isinstance(value, str) and isinstance(key, str) and len(text) >= _SHORTEST and not _HARMLESS.fullmatch(text)
    return "a secret, by its name" if named and _NAME.fullmatch(str(key)) else None


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
    for looks in _WHOLE:
        text = looks.sub(lambda found: masked(found[0]), text)
    return text


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
