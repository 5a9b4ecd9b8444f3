"""The command line, read and handed to the command it names."""

import sys
from collections.abc import Sequence
from typing import Annotated

import rich.console
import tyro

import jaxblur
from jaxblur import config
from jaxblur.cli import photos, ranking
from jaxblur.cli.options import (
    DESCRIPTION,
    LONG,
    RANK_LONG,
    RANK_SHORT,
    SHORT,
    Estimate,
    Export,
    ImportWeights,
    Rank,
)
from jaxblur.cli.report import complain, reason_of, say
from jaxblur.files import output
from jaxblur.runtime import messages, signals


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
      args: the arguments after the program's name; those of the process if None.

    Returns:
      The exit status: 0, 2 if anything failed, 130 after an interrupt, 143 after SIGTERM.

    Raises:
      SystemExit: after --help (0) and on wrong usage (2).
    """
    args = sys.argv[1:] if args is None else list(args)
    if args == ["--version"]:
        print(f"jaxblur {jaxblur.__version__}")
        return 0
    command_named = args[:1]  # the list of commands has no room for more than a line on each
    commands = (
        Annotated[
            Estimate,
            tyro.conf.subcommand("estimate", description=LONG if command_named == ["estimate"] else SHORT),
        ]
        | Annotated[
            Rank,
            tyro.conf.subcommand("rank", description=RANK_LONG if command_named == ["rank"] else RANK_SHORT),
        ]
        | Annotated[ImportWeights, tyro.conf.subcommand("import-weights")]
        | Annotated[Export, tyro.conf.subcommand("export")]
    )
    command = tyro.cli(
        commands, args=args, prog="jaxblur", description=DESCRIPTION, config=(tyro.conf.FlagCreatePairsOff,)
    )
    console = rich.console.Console(stderr=True, highlight=False, markup=False)
    messages.hide_compiler_messages()
    try:
        with signals.stop_in_order():
            match command:
                case Estimate():
                    return photos.estimate_photos(command, console)
                case Rank():
                    return ranking.rank_photos(command, console)
                case ImportWeights():
                    return _import_weights(command)
                case Export():
                    return _export(command)
    except signals.Stopped as stopped:
        complain(console, f"stopped by {stopped}")
        return stopped.status
    except KeyboardInterrupt:
        complain(console, "interrupted")
        return 130
    except (OSError, ValueError, TypeError, ModuleNotFoundError) as error:
        complain(console, reason_of(error))
        return 2


def _import_weights(command: ImportWeights) -> int:
    if command.target.suffix != ".safetensors":
        raise ValueError(f"{command.target}: the file to write must end in .safetensors")
    jaxblur.save_weights(command.target, jaxblur.load_weights(command.source))
    say(f"wrote {command.target}")
    return 0


def _export(command: Export) -> int:
    if command.target.suffix not in (".stablehlo", ".onnx"):
        raise ValueError(f"{command.target}: the file to write must end in .stablehlo or .onnx")
    if (command.target.suffix == ".stablehlo") != (command.size is not None):
        raise ValueError(
            "--size WIDTH HEIGHT belongs to .stablehlo, a program for one size of photos, and to it only"
        )
    from jaxblur import export

    weights = jaxblur.load_weights(command.weights)
    if command.size is None:
        data = export.export_networks(weights)
    else:
        width, height = command.size
        settings = config.PRESETS[command.preset]
        data = export.export_estimator(
            weights, height=height, width=width, config=settings, platforms=command.platforms or None
        )
    with output.atomic_file(command.target) as file:
        file.write(data)
    say(f"wrote {command.target}")
    return 0
