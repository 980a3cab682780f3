"""What the commands print, and the error for what has no answer."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.files.pins import PinError
from pytest_mlflow_traces.files.traces import TraceFileError

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnansweredError(click.ClickException):
    """The error for what cannot be read or written; the question has no answer then, which is not a "no"."""

    exit_code = 2


def answer(text: str, *, nl: bool = True) -> None:
    """Print; what cannot be written is no answer, where the exit status would be taken for one."""
    try:
        click.echo(text, nl=nl)
        sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read this has gone, as `head` does: click ends quietly
            raise
        # what could not be written stays in the buffer, and would be tried again at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise UnansweredError(f"the answer could not be written: {error.strerror or error}") from None


def json_text(said: dict[str, Any]) -> str:
    """Return JSON in which a CI finds nothing to obey (see `escaped`); to whoever reads it, it is the same."""
    return json.dumps(said).replace("##[", "##\\u005b")


@contextmanager
def readable() -> Iterator[None]:
    """Turn what cannot be read into a message and the exit status that says so."""
    try:
        yield
    except (TraceFileError, PinError) as error:
        raise UnansweredError(str(error)) from None
    except OSError as error:
        # what fails while it is read, such as a broken disk, has no name
        name = "" if error.filename is None else f"{visible(str(error.filename))}: "
        raise UnansweredError(f"{name}{error.strerror or error}") from None
