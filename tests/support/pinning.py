"""What a person does with a test that `pin` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fill_in(module: Path, call: str) -> None:
    """Put a call in the place of the line that asks for it."""
    before, _, rest = module.read_text().partition("    pytest.fail(")
    module.write_text(f"{before}    {call}\n{rest.partition('    )')[2]}")
