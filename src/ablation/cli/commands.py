"""The commands; each is in a module that loads heavy libraries only when it is called."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ablation.cli import process
from ablation.cli.again import rerun
from ablation.cli.doctor import doctor
from ablation.cli.judging import judge
from ablation.cli.new import new
from ablation.cli.options import Store
from ablation.cli.output import show, show_line
from ablation.cli.pages import ui
from ablation.cli.plan import list_studies, plan, status
from ablation.cli.report import rebuild, report
from ablation.cli.run import run
from ablation.cli.sync import sync
from ablation.errors import Refused

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to load than everything else that --help needs
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ablation studies of your own model or of a text classifier, answered with evidence.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show(f"ablation {version('attention-ablation')}")
        raise typer.Exit


RECORDING = {"run", "sync", "report", "rerun"}
"""Commands that write temporary files, which a kill would leave to nobody."""


@app.callback()
def common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of the command itself."""
    if context.invoked_subcommand in RECORDING:
        from ablation.records.temporary import own_temporary

        context.with_resource(own_temporary())


def backup(
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    *,
    store: Store = None,
) -> None:
    """Copies databases and artifacts to a new folder, while studies may run."""
    from ablation.execute import back_up
    from ablation.records.places import places

    back_up(places(store), to)
    show_line(f"Copied to {to}; it is a store of its own: --store {to}")


app.command("list")(list_studies)
for command in (
    plan, status, run, sync, report, rerun, rebuild, judge, new, backup, ui, doctor
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Runs the command line; a `Refused` is printed as two lines and exits with code 2."""
    process.prepare()
    try:
        sys.exit(app(standalone_mode=len(sys.argv) == 1))  # without arguments it shows the help
    except Refused as error:
        process.say(error)
        raise SystemExit(error.code) from None
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (OSError, MemoryError) as error:
        process.say(process.refused_by_system(error))
        raise SystemExit(2) from None
    except Exception as error:
        if (misuse := process.misused(error)) is None:
            process.say_fault()
            raise SystemExit(1) from None
        process.say(misuse)
        raise SystemExit(2) from None
    finally:
        # Else the collector looks through all libraries once more at the end: 0.3 s.
        gc.freeze()
