"""`gatepost keys reveal` and `whoami`: from a key to its secret, and from a secret to its key."""

from typing import Annotated

from typer import Context, Exit, Option, Typer

from gatepost.base import BadInputError, Outcome, Presented, SecretNotStoredError, Verdict, address_of
from gatepost.cli.codes import ExitCode
from gatepost.cli.help import examples
from gatepost.cli.input import ChangeOptions, KeyId, KeysOptions, check_one_form, read_secret, verb
from gatepost.cli.output import print_revealed, print_verdict
from gatepost.keys import VAULT_KEYS

app = Typer()


@app.command(epilog=examples("gatepost keys reveal 4fT0aK9sQ2Lm", "gatepost keys reveal 4fT0aK9sQ2Lm -q > secret"))
@verb
async def reveal(
    options: ChangeOptions,
    key_id: KeyId,
    *,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print the secret alone.")] = False,
) -> None:
    """Show a key's secret again, where the app keeps them in a vault. The audit log tells that you did."""
    check_one_form(quiet, options.as_json)
    options.check_file()
    async with options.keys() as keys:
        if not keys.has_vault:
            raise SecretNotStoredError(
                f"Only digests of secrets are stored. If the app has a vault, set {VAULT_KEYS} to its vault_keys"
            )
        secret = await keys.reveal(key_id, actor=options.who())
    print_revealed(key_id, secret, as_json=options.as_json, quiet=quiet)


@app.command(
    epilog=examples("gatepost keys whoami", "gatepost keys whoami --json < secret"),
    context_settings={"allow_extra_args": True},  # the error of Typer would show what may be a secret
)
@verb
async def whoami(
    options: KeysOptions,
    context: Context,
    *,
    foreign: Annotated[
        bool, Option("--foreign", help="As an app with foreign_secrets=True: look up imported ones, too.")
    ] = False,
    address: Annotated[
        str | None,
        Option("--address", metavar="ADDRESS", help="As if from there: a key may be bound to networks."),
    ] = None,
) -> None:
    """Tell which key a secret opens, and whether it may be used now.

    Asks for the secret, or reads it from standard input. Exits with 7 where it may not be used.
    """
    if context.args:
        raise BadInputError(
            "A secret is never an argument, since everybody on this machine can see those: "
            "type it when asked, or put it on standard input"
        )
    if address is not None and address_of(address) is None:
        raise BadInputError(f"--address {address!r:.60} must be an IP address, such as 203.0.113.9")
    options.check_file()
    secret = read_secret()
    async with options.keys(**{"foreign_secrets": True} if foreign else {}) as keys:
        outcome, key = await keys.judge_presented(Presented(secret, fresh=True, address=address))
        print_verdict(Verdict(outcome, key), keys.catalogue, as_json=options.as_json)
    if outcome is not Outcome.VALID:
        raise Exit(ExitCode.NOT_USABLE)
