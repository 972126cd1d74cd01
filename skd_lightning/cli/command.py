"""A command: its name, its help, its own options and its function."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from skd_lightning.errors import UserError
from skd_lightning.nearest import no_such, suggestion

Options = argparse.Namespace

FURTHER = (
    "Further options: 'skd fit --help-all' (data, trainer, teachers), 'skd fit --model.help Student' (the model), and "
    "'skd fit --model Student --model.objective.help TopK' (an objective)."
)
UNKNOWN = re.compile(r"unknown option (--[^.\s:]+)(?= |:|$)")
"""Beginning of a message about an option that the parser of ``skd fit`` does not know."""


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line, and names the nearest thing that exists."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UserError(f"{message} ({self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, no_such(str(value), map(str, action.choices)))


@dataclass(frozen=True)
class Command:
    """One word after ``skd``.

    Attributes:
        name: the word.
        help: one line for the list of commands; a command without is not listed.
        add_options: declares its own options.
        run: what it does, from its options and the words that it does not know.
        passes_on: words that it does not know are options of ``skd fit``; else they are refused.
        resumes: it trains; the same command goes on where a training was interrupted.
    """

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Options, list[str]], None]
    passes_on: bool = False
    resumes: bool = False

    def parser(self) -> Parser:
        """Return the parser of its own options."""
        closing = FURTHER if self.passes_on else None
        parser = Parser(prog=f"skd {self.name}", description=self.help, epilog=closing, allow_abbrev=False)
        self.add_options(parser)
        return parser

    def parse(self, words: list[str]) -> tuple[Options, list[str]]:
        """Return its options, and the words that it does not know.

        Raises:
            UserError: an option or a value that does not exist.
        """
        parser = self.parser()
        # Intermixed: options may stand between a command's own words; options to pass on have words of their own.
        parse = parser.parse_known_args if self.passes_on else parser.parse_known_intermixed_args
        options, rest = parse(words)
        if rest and not self.passes_on:
            near = suggestion(rest[0], self._own())
            raise UserError(f"unknown option {rest[0]}{near} (skd {self.name} --help lists all)")
        return options, rest

    def start(self, words: list[str]) -> None:
        """Run it with these words of the command line.

        Raises:
            UserError: what it refuses; an unknown option that is most like one of its own is said to be so.
        """
        options, rest = self.parse(words)
        try:
            self.run(options, rest)
        except UserError as error:
            found = UNKNOWN.match(str(error))
            near = suggestion(found[1], self._own()) if found else ""
            if not near:
                raise
            raise UserError(f"unknown option {found[1]}{near}") from None  # type: ignore[index]

    def _own(self) -> list[str]:
        return [name for action in self.parser()._actions for name in action.option_strings]
