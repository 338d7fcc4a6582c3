"""From an exception to an exit code and a message on stderr: the only place that does so."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from gatepost.base import (
    AccessDeniedError,
    BadInputError,
    ForceNeededError,
    GatepostError,
    IdempotencyError,
    KeyNotFoundError,
    MissingExtraError,
    PolicyError,
    RoleNotFoundError,
    SchemaError,
    SecretNotStoredError,
    StaleKeyError,
    StillSpreadingError,
    UnavailableError,
    UncertainCommitError,
    UnknownPermissionError,
    line_of,
)
from gatepost.cli.codes import ExitCode


@dataclass(frozen=True, slots=True)
class Failure:
    """`code`: stable name for programs; `message`: one line for people."""

    code: str
    exit_code: ExitCode
    message: str


_FAILURES: Sequence[tuple[type[GatepostError], str, ExitCode]] = (
    (UnknownPermissionError, "unknown_permission", ExitCode.BAD_INPUT),
    (PolicyError, "policy_denied", ExitCode.BAD_INPUT),
    (BadInputError, "bad_input", ExitCode.BAD_INPUT),
    (KeyNotFoundError, "key_not_found", ExitCode.UNKNOWN_KEY),
    (RoleNotFoundError, "role_not_found", ExitCode.UNKNOWN_KEY),
    (SchemaError, "schema", ExitCode.SCHEMA),
    (MissingExtraError, "missing_extra", ExitCode.FAILED),
    (UncertainCommitError, "uncertain_commit", ExitCode.FAILED),
    (UnavailableError, "unavailable", ExitCode.FAILED),
    (SecretNotStoredError, "secret_not_stored", ExitCode.FAILED),
    (AccessDeniedError, "permission_denied", ExitCode.FAILED),
    (ForceNeededError, "force_needed", ExitCode.FAILED),
    (StaleKeyError, "stale_key", ExitCode.FAILED),
    (IdempotencyError, "idempotency_conflict", ExitCode.FAILED),
    (StillSpreadingError, "still_spreading", ExitCode.STILL_SPREADING),
    (GatepostError, "failed", ExitCode.FAILED),
)
"""The first class that fits decides."""


def failure_of(error: Exception) -> Failure:
    """What `error` means to who ran the command."""
    for kind, code, exit_code in _FAILURES:
        if isinstance(error, kind):
            return Failure(code, exit_code, _one_line(error))

    import typer  # noqa: PLC0415 - that typer is missing is reported from here too

    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "gatepost"
        message = error.format_message()
        end = "" if message.endswith((".", "?")) else "."
        return Failure("usage", ExitCode.BAD_INPUT, f"{message}{end} Help: {command} --help")
    if isinstance(error, typer.Abort):
        return Failure("aborted", ExitCode.FAILED, "Not confirmed: nothing was changed")
    return Failure("failed", ExitCode.FAILED, f"{line_of(error)} (--debug shows where)")


def report(error: Exception, arguments: Sequence[str]) -> ExitCode:
    """Tell of `error` on stderr; answers how to exit.

    `arguments`: the command's. `--json` and `--debug` are looked for here, so that they count for arguments that
    could not be parsed, too.
    """
    options = [argument for argument in arguments if argument.startswith("--")]
    options = options[: options.index("--")] if "--" in options else options
    if "--debug" in options:
        traceback.print_exception(error)
    failure = failure_of(error)
    if "--json" in options:
        text = orjson.dumps({"error": failure.code, "message": failure.message}).decode()
    else:
        text = f"Error: {failure.message}"
    sys.stderr.write(text + "\n")
    return failure.exit_code


def _one_line(error: Exception) -> str:
    """The message; drivers write theirs over several lines."""
    return " ".join(str(error).split())
