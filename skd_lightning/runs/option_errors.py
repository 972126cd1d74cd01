"""Errors of the option parser in one plain line: the option as it was typed, what is wrong, the nearest that exists.

jsonargparse reports an option of a class as four clauses of Union subtypes. What a person needs of them is the path of
keys, the classes on the way, and the last complaint.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import itertools
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonargparse
import yaml

from skd_lightning.errors import UserError, one_line, user_error
from skd_lightning.nearest import no_such
from skd_lightning.parsing import read_yaml
from skd_lightning.runs.configurations import experiments
from skd_lightning.yaml_limits import refuse_excess

SECTIONS = ("data", "model", "trainer", "distillation")
"""Groups of options, each of which may come from a file of its own."""
LONGEST = 300
"""Letters of a complaint of a library that are shown."""

KEY = re.compile(r'Parser key "([\w.]+)"')
CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
UNKNOWN = re.compile(r"Option '([\w.]+)' is not accepted")
GROUP = re.compile(r"Group '([\w.]+)' does not accept option '([\w.]+)'")
REQUIRED = re.compile(r"arguments are required: (?:(?:fit|validate|test|predict)\.)?([\w.]+)")
UNRECOGNISED = re.compile(r"unrecognized arguments: --([\w.-]+)")
VALUE = re.compile(r"Expected an? (.+?)\. Got value: (.+?)(?:\n|$)")
UNION = re.compile(r"Errors:\n\s+- Expected an? (.+)\n(?:.*\n)*?\s*Given value: (.+)")
NO_MODULE = re.compile(r"Problem with given class_path '[\w.]+':\s+No module named '([\w.]+)'")
UNUSABLE = re.compile(r"Problem with given class_path '([\w.]+)':\s+((?!Parser key|Problem|Does not)\S.*)")
OTHER_KIND = re.compile(r"Import path .*does not correspond to a subclass of (\w+)")
NOTHING = re.compile(r"Expected an? <class 'NoneType'>|Expected a path but .*")
NO_CLASS = re.compile(r"Expected a dot import path string: (\S+)")
NESTED = re.compile(r"NestedArg\(key='([\w.]+)'")
LITERAL = re.compile(r"Literal\[(.+)\]")


@contextmanager
def explained(parser: jsonargparse.ArgumentParser) -> Iterator[None]:
    """Turn whatever is raised while options are parsed into one line that names the option.

    Args:
        parser: of the options.

    Raises:
        UserError: an option is wrong.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise user_error(error) or UserError(explain(error, parser) or _other(error)) from error


@contextmanager
def explaining(settings: Mapping[str, Any], section: str = "") -> Iterator[None]:
    """Turn whatever is raised while objects are made from settings into one line that names one of these.

    Args:
        settings: nested as in a configuration file.
        section: in which they stand; "" for all settings.

    Raises:
        UserError: the objects cannot be made.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise
        text = one_line(error)
        if isinstance(error, MemoryError) or "memory" in text:
            text = "not enough memory for these settings; give a smaller --model.embedder, --model.context or batch"
            raise UserError(text) from error
        first = _option_in(text, settings) if section else None
        option = f"--{section}.{first} is {settings[first]}" if first else f"--{section or 'model, --data'}"
        raise user_error(error) or UserError(f"{option}: {_cut(text)}") from error


def _option_in(text: str, settings: Mapping[str, Any]) -> str | None:
    """Return the option that a complaint is about: named in it, or its value; else the first whose value is a word."""
    words = {name: value for name, value in settings.items() if isinstance(value, str)}
    by_name = sorted((found.start(), name) for name in settings if (found := re.search(rf"\b{name}\b", text)))
    by_value = [name for name, value in words.items() if repr(value) in text]
    chosen = [name for name, value in words.items() if value != "auto" and name != "default_root_dir"]
    return next(iter([name for _, name in by_name] + by_value + chosen), None)


def refuse_files(words: Sequence[str]) -> None:
    """Refuse configurations, in files or on the command line, that a parser could not read within a second.

    Args:
        words: of the command line.

    Raises:
        UserError: naming the file or the option, see :func:`parsing.read_text`.
    """
    for before, word in itertools.pairwise(["", *words]):
        option, sign, value = word.partition("=") if word.startswith("--") else (before, "=", word)
        if not sign or not option.startswith("--"):
            continue
        inline = value.lstrip().startswith(("{", "["))
        if option == "--config" and not inline:
            if not isinstance(read_yaml(Path(value)), dict | None):
                raise UserError(f"{value}: expected settings, such as 'data:' with 'tokens: 1000' below it")
        elif Path(value).suffix in (".yaml", ".yml", ".json") and not inline:
            if option.removeprefix("--") in SECTIONS and Path(value).exists():
                read_yaml(Path(value))
        elif inline:
            with suppress(yaml.YAMLError):  # some other text, of which its option may make something
                refuse_excess(value, option)


GIVEN_BY_DATA = {"tags", "scheme", "languages"}
"""Parameters of a model that the data fill in once they are read."""


def refuse_empty(settings: Mapping[str, Any], data: type) -> None:
    """Refuse a section with nothing below it, as one in which every line is a comment, and null where a value must be.

    Args:
        settings: parsed.
        data: class of the data, to whose parameters the section ``data`` goes.

    Raises:
        UserError: naming the section, or the option of model or data that is null and must not be.
    """
    for section in SECTIONS:
        if settings[section] is None:
            raise UserError(f"--{section}: it is empty (null); give it a setting, or take it out")
    model = settings["model"]
    for section, kind, values in (
        ("model", _named(model["class_path"]), model.get("init_args") or {}),
        ("data", data, settings["data"]),
    ):
        hints = _hints(kind)
        for name, value in values.items():
            if (
                value is None
                and name not in GIVEN_BY_DATA
                and type(None) not in typing.get_args(hints.get(name))
            ):
                raise UserError(f"--{section}.{name}: it is empty (null); give it a value, or leave it out")


def _named(path: str) -> Any:
    """Return the class that a class path names."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def explain(error: Exception, parser: jsonargparse.ArgumentParser) -> str | None:
    """Return the error in one line, None for one that is of another kind.

    Args:
        error: raised while options were parsed.
        parser: that raised it.
    """
    text = str(error)
    path = _path(text)
    if found := REQUIRED.search(text):
        student = experiments() / "student.yaml"
        return f"--{'.'.join([*path, found[1]])} is missing; give it, or a --config that has it, such as {student}"
    if found := GROUP.search(text):
        name = f"--{found[1]}.{found[2]}"
        return f"unknown option {name}{_nearest(name, known_options(parser))}"
    if found := UNRECOGNISED.search(text) or UNKNOWN.search(text):
        name, known = f"--{'.'.join([*path, found[1]])}", known_options(parser)
        if name in known:  # of another class that could stand there
            return f"{name} is no option of {CLASS.findall(text)[-1].rpartition('.')[2]}"
        return f"unknown option {name}{_nearest(name, known)}"
    option = f"--{'.'.join(path)}"
    if found := NO_CLASS.search(text):
        return f"{option}: {no_such(found[1], _class_names(text, path[-1]))}"
    if path and (found := VALUE.search(text) or UNION.search(text)):
        if inner := NESTED.match(found[2]):
            return f"{option}.{inner[1]}: {option} is null here, which has no such option"
        return f"{option}: {_complaint(found[1], found[2])}"
    return f"{option}: {said}" if path and (said := _not_imported(text)) else None


def _not_imported(text: str) -> str | None:
    """Return why a class named by its path could not be had, None where that is not the trouble."""
    if found := NO_MODULE.search(text):
        return f"no module '{found[1]}' on Python's path; set PYTHONPATH to its folder"
    if found := OTHER_KIND.search(text):
        return f"it names no class of the kind {found[1]}; give a subclass of {found[1]}"
    if found := UNUSABLE.search(text):
        return f"{found[1]} cannot be used: {_cut(found[2])}"
    return None


def known_options(parser: jsonargparse.ArgumentParser) -> list[str]:
    """Return every option of a parser, those of the classes that it can make included."""
    names = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    for action in parser._actions:
        annotation = getattr(action, "_typehint", None)
        if annotation is not None:
            names += [f"--{action.dest}.{name}" for name in _settings(annotation, set())]
    return sorted(set(names))


def _other(error: Exception) -> str:
    """Return an error of no known form in one line: its option, if it names one, and its last complaint."""
    path, text = _path(str(error)), one_line(error)
    if isinstance(error, argparse.ArgumentError) and error.argument_name:
        return f"{error.argument_name}: {_cut(error.message)}"
    if not path:
        return _cut(text)
    said = [part for part in map(_cut, text.split("; ")) if part and not NOTHING.fullmatch(part)]
    return f"--{'.'.join(path)}: {said[-1] if said else 'its value is not understood'}"


def _cut(text: str) -> str:
    """Return a complaint of a library without the settings that it repeats."""
    text = " ".join(re.sub(r"(Given value|Got value|Namespace\()(.|\n)*", "", text).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _path(text: str) -> list[str]:
    """Return the keys on the way to the complaint; a class adds none."""
    keys: list[str] = []
    for found in KEY.finditer(text):
        keys += found[1].split(".")
    return [key for key in keys if key != "init_args"]


def _settings(annotation: Any, seen: set[type]) -> Iterator[str]:
    """Yield the names of an annotation's settings: those of dataclasses, and of classes with all their subclasses."""
    for part in typing.get_args(annotation) or (annotation,):
        if not inspect.isclass(part) or part in seen or not part.__module__.startswith("skd_lightning"):
            continue
        for made in [part, *_subclasses(part)]:
            seen = {*seen, made}
            for name, parameter in inspect.signature(made).parameters.items():
                yield name
                hint = _hints(made).get(name, parameter.annotation)
                yield from (f"{name}.{inner}" for inner in _settings(hint, seen))


def _hints(made: type) -> dict[str, Any]:
    owner: Any = next(base for base in made.__mro__ if "__init__" in vars(base))
    return typing.get_type_hints(owner.__init__)


def _subclasses(base: type) -> list[type]:
    children: list[type] = base.__subclasses__()
    return [inner for child in children for inner in (child, *_subclasses(child))]


def _nearest(name: str, known: list[str]) -> str:
    """Return the known option that is most like it: by its last part first, wherever that stands, then as a whole."""
    last = name.rpartition(".")[2]
    lasts = difflib.get_close_matches(last, {option.rpartition(".")[2] for option in known}, n=1, cutoff=0.75)
    candidates = [option for option in known if lasts and option.rpartition(".")[2] == lasts[0]]
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=0.0)
    found = found or difflib.get_close_matches(name, known, n=1)
    return f": did you mean {found[0]}?" if found else " (skd fit --help-all lists all)"


def _complaint(expected: str, value: str) -> str:
    if literal := LITERAL.search(expected):
        return no_such(value, [choice.strip(" '\"") for choice in literal[1].split(",")])
    kind = expected.removeprefix("<class '").removesuffix("'>").replace("typing.", "")
    return f"'{value}' is not of type {kind}"


def _class_names(text: str, setting: str) -> list[str]:
    """Return the names of the classes that a setting of the last class on the way takes."""
    paths = CLASS.findall(text)
    if not paths:
        return []
    hint = _hints(_named(paths[-1])).get(setting)
    bases = [part for part in typing.get_args(hint) or (hint,) if inspect.isclass(part)]
    return sorted(
        child.__name__ for base in bases for child in _subclasses(base) if not inspect.isabstract(child)
    )
