"""What is secret for a command: what `[safety]` in the file of settings says, and the values of its own `-p`."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagtop_app.settings.config import SafetySettings

_REDACT = "dagtop.observe.redact"


@contextmanager
def own_secrets() -> Generator[None]:
    """What a command says is secret is forgotten when it is over. Nothing is loaded for that."""
    redact = sys.modules.get(_REDACT)
    before = redact.vocabulary() if redact is not None else None
    try:
        yield
    finally:
        if (redact := sys.modules.get(_REDACT)) is not None:
            redact.use_vocabulary(before)


def take_safety(environ: Mapping[str, str] = os.environ) -> None:
    """Have `[safety]` of the person's own settings in force.

    Raises
    ------
    ConfigError: that part of the file cannot be followed.
    """
    from dagtop_app.settings import config  # noqa: PLC0415 - only for commands that show something of a graph or a run
    from dagtop_app.settings.config_file import LARGEST, decode, read_toml  # noqa: PLC0415 - as above

    path, _ = config.path_of(None, environ)
    try:
        with path.open("rb") as file:
            says_something = b"safety" in file.read(LARGEST)
    except OSError:  # whoever wants it for more tells of that
        return
    if says_something:
        document = read_toml(path)
        only = document._replace(data={key: value for key, value in document.data.items() if key == "safety"})
        follow(decode(only, config.Config, config.TAKES).safety)


def follow(safety: SafetySettings) -> None:
    """Have this in force."""
    if safety.redact or not safety.hide_secrets:
        from dagtop.observe.redact import hide_secrets  # noqa: PLC0415 - only where something is set

        hide_secrets(names=safety.redact, on=safety.hide_secrets)


def learn(parameters: Mapping[str, Any]) -> None:
    """Know what `-p` gave, for what goes wrong before there is a run."""
    if parameters:
        from dagtop.observe.redact import hide_secrets  # noqa: PLC0415 - only where something is given
        from dagtop.observe.secrets import secrets_in  # noqa: PLC0415 - as above

        hide_secrets(values=secrets_in(parameters))
