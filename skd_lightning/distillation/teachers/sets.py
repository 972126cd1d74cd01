"""Who speaks on which language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from skd_lightning.distillation.teachers.pools import Kind, Pool, Weighting
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.yaml_files import read_yaml

OTHERS, TAGS = "*", "tags"
"""Keys of a file of teachers that are no languages: for all other languages; names of tags."""


@dataclass(frozen=True)
class TeacherSet:
    """The teachers of a student, see :meth:`named`.

    Attributes:
        sources: folders of teachers, or single run folders; each adds what it has for a language.
        mapping: {language: its teachers}, as a file of teachers gives it; the sources are not asked then.
        tags: {name of a teacher's tag or type: the student's name for it}.
        kind: how several teachers of a language become one.
        weights: of the members where nothing else is said.
    """

    sources: tuple[Path, ...]
    mapping: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = "mixture"
    weights: Weighting = "uniform"

    @classmethod
    def named(
        cls, names: str | Iterable[str], kind: Kind = "mixture", weights: Weighting = "uniform"
    ) -> TeacherSet:
        """Return the teachers that are named.

        Args:
            names: a folder that holds one run folder a language, such as ``runs/demo/teachers``; a run folder, whose
                tagger speaks on every language; several of these; or a YAML file, {language: teachers}, whose
                teachers are a folder as above, another language's code, a list of these, or
                ``{product: [...], weights: [0.5, 0.5]}`` (or ``mixture``). "*" stands for all other languages,
                ``tags`` names the student's tag for each of the teachers', as in ``{PERSON: PER, MISC: O}``.
            kind: of the pools, where the file does not say.
            weights: of their members, where the file does not say.

        Raises:
            UserError: the file cannot be read, or is no mapping.
        """
        paths = tuple(Path(name) for name in ([names] if isinstance(names, str) else names))
        if len(paths) == 1 and paths[0].suffix in (".yaml", ".yml"):
            mapping = _read(paths[0])
            tags = mapping.pop(TAGS, {})
            if not isinstance(tags, dict) or not all(
                isinstance(x, str) for pair in tags.items() for x in pair
            ):
                raise UserError(f"{paths[0]}: 'tags' must map names of tags, such as {{PERSON: PER}}")
            if not mapping:
                raise UserError(f"{paths[0]}: it names no teachers; write '*': FOLDER beside 'tags'")
            return cls(paths, mapping, tags, kind, weights)
        return cls(paths, kind=kind, weights=weights)

    def pool(self, language: str) -> Pool:
        """Return the teachers that speak on a language together.

        Raises:
            UserError: the file of teachers names a run that does not exist, or something else that it cannot.
        """
        if not self.mapping:
            found = [folder for source in self.sources for folder in _runs(source, language)]
            return Pool(tuple(found), self.kind, self.weights)
        if language not in self.mapping and OTHERS not in self.mapping:
            return Pool()
        key = language if language in self.mapping else OTHERS
        return self._pool(self.mapping[key], language, (key,))

    @property
    def home(self) -> Path:
        """Return the folder of a task's runs, in which teachers and baseline are found unless they are elsewhere."""
        return self.sources[0].parent

    def of(self, language: str) -> tuple[Path, ...]:
        """Return the run folders of the teachers that speak on a language; empty where there is none."""
        return self.pool(language).folders

    def folders(self, languages: Iterable[str]) -> list[Path]:
        """Return the run folders of all teachers that speak on these languages, each once."""
        return list(dict.fromkeys(folder for language in languages for folder in self.of(language)))

    def require(self, languages: Iterable[str]) -> None:
        """Refuse languages on which no teacher speaks, a file that names other languages, and a source of no teacher.

        Raises:
            UserError: naming the source, or the languages and the command that trains their teachers.
        """
        languages, where = list(languages), " ".join(map(str, self.sources))
        if others := [
            code for code in self.mapping if code not in (*languages, OTHERS) and not self._cited(code)
        ]:
            raise UserError(
                f"{where}: no text of language {', '.join(others)} is trained on (there is {', '.join(languages)})"
            )
        if missing := [language for language in languages if not self.of(language)]:
            named, codes = " or ".join(f"'{language}'" for language in missing), " ".join(missing)
            raise UserError(
                f"no teacher for language {named} in {where}; train it with: skd teachers --langs {codes} "
                f'(or make teachers LANGS="{codes}"), and the same task and data'
            )
        for source in () if self.mapping else self.sources:
            if not any(_runs(source, language) for language in languages):
                raise UserError(
                    f"{source}: no teacher for {', '.join(languages)} there; expected a run folder, or a folder with "
                    "one run folder a language (a file of teachers is given alone, without others)"
                )

    def _cited(self, code: str) -> bool:
        """Return True if another language's teachers are said to be those of this one."""
        return any(code in _words(spec) for key, spec in self.mapping.items() if key != code)

    def _pool(self, spec: Any, language: str, way: tuple[str, ...], member: bool = False) -> Pool:
        """Return the pool that an entry of the file describes.

        Args:
            spec: the entry, or a part of it.
            language: on which the teachers are to speak.
            way: languages whose entries led here, so that a circle is seen.
            member: of another pool.
        """
        if isinstance(spec, str):
            if spec in self.mapping:
                if spec in way:
                    raise UserError(f"{self.sources[0]}: the teachers of {spec} are said to be its own")
                return self._pool(
                    self.mapping[spec], language if spec == OTHERS else spec, (*way, spec), member
                )
            found = _runs(Path(spec), language)
            if not found:
                raise UserError(f"{self.sources[0]}: {spec} holds no finished teacher for '{language}'")
            return Pool(tuple(found), self.kind, self.weights)
        if isinstance(spec, list) and spec:
            return self._joined(self.kind, spec, self.weights, language, way)
        if isinstance(spec, dict) and member:
            raise UserError(
                f"{self.sources[0]}: '{way[0]}' has {spec!r} as a member; a pool inside of another is not offered, "
                "name its teachers"
            )
        if isinstance(spec, dict):
            kinds = [kind for kind in ("mixture", "product") if kind in spec]
            if len(kinds) == 1 and set(spec) <= {*kinds, "weights"} and isinstance(spec[kinds[0]], list):
                weights = spec.get("weights", self.weights)
                return self._joined(kinds[0], spec[kinds[0]], weights, language, way)  # type: ignore[arg-type]
        raise UserError(
            f"{self.sources[0]}: the teachers of '{way[-1]}' are {spec!r}; expected a folder, a language, a list "
            "of these, or {mixture: [...]} or {product: [...]}, each with weights if you like"
        )

    def _joined(
        self, kind: Kind, specs: list[Any], weights: Any, language: str, way: tuple[str, ...]
    ) -> Pool:
        members = [self._pool(spec, language, way, member=True) for spec in specs]
        folders = tuple(folder for member in members for folder in member.folders)
        if weights == "uniform" and len(folders) > len(specs):  # of the entries, not of the runs
            weights = [1] * len(specs)
        if weights not in get_args(Weighting):
            if (
                not isinstance(weights, list)
                or len(weights) != len(specs)
                or not all(type(weight) in (int, float) and 0 < weight < float("inf") for weight in weights)
            ):
                raise UserError(
                    f"{self.sources[0]}: the weights of '{way[-1]}' are {weights!r}; expected "
                    f"uniform, dev, similarity, or {len(specs)} numbers above 0"
                )
            shares = [
                weight / len(member.folders)
                for weight, member in zip(weights, members, strict=True)
                for _ in member.folders
            ]
            weights = tuple(share / sum(shares) for share in shares)
        return Pool(folders, kind, weights)


def _runs(source: Path, language: str) -> list[Path]:
    """Return the run folder that a source has for a language, if any; a run itself speaks on every language."""
    if (source / language).is_dir():
        return [source / language]
    return [source] if RunFolder(source).best.is_file() else []


def _words(spec: Any) -> list[str]:
    if isinstance(spec, str):
        return [spec]
    parts = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    return [word for part in parts for word in _words(part)]


def _read(file: Path) -> dict[str, Any]:
    found = read_yaml(file)
    if not isinstance(found, dict) or not found:
        raise UserError(f"{file}: expected {{language: teachers}}, such as {{en: runs/a, '*': runs/multi}}")
    if any(isinstance(key, bool) for key in found):
        raise UserError(f"{file}: YAML reads no and yes as truth values; write the language as 'no'")
    return {str(key): value for key, value in found.items()}
