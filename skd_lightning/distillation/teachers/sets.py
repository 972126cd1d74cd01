"""Who speaks on which language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from skd_lightning.data.folds import Fold
from skd_lightning.distillation.teachers.cross_fitting import (
    FOLDS,
    UNLABELLED,
    folder_without,
    refuse_other_form,
    refuse_seen,
)
from skd_lightning.distillation.teachers.kinds import teacher_at
from skd_lightning.distillation.teachers.pools import Pool, PoolKind, Weighting
from skd_lightning.errors import UserError
from skd_lightning.features.windows import Pooling
from skd_lightning.parsing import read_yaml
from skd_lightning.run_folder import RunFolder

OTHERS, TAGS = "*", "tags"
"""Keys of a file of teachers that are no languages: for all other languages; names of tags."""

MODEL, PIECES = "model", "pieces"
"""Keys of a pretrained token classifier that is not named alone."""


@dataclass(frozen=True)
class TeacherSet:
    """The teachers of a student, see :meth:`named`.

    Attributes:
        sources: folders of teachers, or single run folders; each adds what it has for a language.
        mapping: {language: its teachers}, as a file of teachers gives it; the sources are not asked then.
        tags: {name of a teacher's tag or type: the student's name for it}.
        kind: how several teachers of a language become one.
        weights: of the members where nothing else is said.
        pieces: {pretrained token classifier: pieces from which it takes a word's probabilities}, where a file says.
        folds: so many folders beside the source hold the teachers that were trained without a fold; 0 for none.
    """

    sources: tuple[Path, ...]
    mapping: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    kind: PoolKind = "mixture"
    weights: Weighting = "uniform"
    pieces: Mapping[Path, Pooling] = field(default_factory=dict)
    folds: int = 0

    @classmethod
    def named(
        cls,
        names: str | Iterable[str],
        kind: PoolKind = "mixture",
        weights: Weighting = "uniform",
        folds: int | None = None,
    ) -> TeacherSet:
        """Return the teachers that are named.

        Args:
            names: a folder that holds one teacher a language, such as ``runs/demo/teachers``; a teacher, who speaks on
                every language: a run folder, a pretrained token classifier (``hf:owner/name`` or a folder made by
                ``save_pretrained``), or a file of predictions (``.jsonl``); several of these; or a YAML file,
                {language: teachers}, whose teachers are as above, another language's code, a list of these, or
                ``{product: [...], weights: [0.5, 0.5]}`` (or ``mixture``); ``{model: hf:owner/name, pieces: mean}``
                is a classifier with the mean of a word's pieces. "*" stands for all other languages,
                ``tags`` names the student's tag for each of the teachers', as in ``{PERSON: PER, MISC: O}``.
                ``{folds: [...], unlabelled: ...}`` asks each sentence of the teachers that were trained without its
                fold, and unlabelled text of others if they are named.
            kind: of the pools, where the file does not say.
            weights: of their members, where the file does not say.
            folds: ask annotated sentences of the teachers in ``<names>-fold1of5`` …, and unlabelled text of the usual
                ones.

        Raises:
            UserError: the file cannot be read, or is no mapping; or folds of several folders, or of a file.
        """
        paths = tuple(Path(name) for name in ([names] if isinstance(names, str) else names))
        if folds is not None and (folds < 2 or len(paths) > 1 or paths[0].suffix in (".yaml", ".yml")):
            raise UserError(
                f"--distillation.folds is {folds}, with the teachers {' '.join(map(str, paths))}; it must be at least "
                "2, and goes with one folder of teachers; a file of teachers names folds itself: {folds: [...]}"
            )
        if len(paths) == 1 and paths[0].suffix in (".yaml", ".yml"):
            mapping = _read(paths[0])
            tags = mapping.pop(TAGS, {})
            if not isinstance(tags, dict) or not all(
                isinstance(x, str) for pair in tags.items() for x in pair
            ):
                raise UserError(f"{paths[0]}: 'tags' must map names of tags, such as {{PERSON: PER}}")
            if not mapping:
                raise UserError(f"{paths[0]}: it names no teachers; write '*': FOLDER beside 'tags'")
            pieces: dict[Path, Pooling] = {}
            mapping = {key: _without_pieces(spec, pieces, paths[0]) for key, spec in mapping.items()}
            return cls(paths, mapping, tags, kind, weights, pieces)
        return cls(paths, kind=kind, weights=weights, folds=folds or 0)

    def pool(self, language: str, fold: Fold | None = None) -> Pool:
        """Return the teachers that speak on a language together.

        Args:
            language: its code.
            fold: on whose sentences they speak; None for text that is not divided into folds.

        Raises:
            UserError: the file of teachers names a run that does not exist, or something else that it cannot.
        """
        if not self.mapping:
            sources = [folder_without(source, fold) for source in self.sources] if fold else self.sources
            found = [folder for source in sources for folder in _runs(source, language)]
            return Pool(tuple(found), self.kind, self.weights)
        if language not in self.mapping and OTHERS not in self.mapping:
            return Pool()
        key, spec, speaks_on = self._entry(language)
        if isinstance(spec, dict) and FOLDS in spec:
            if fold is None and UNLABELLED not in spec:
                return Pool()
            spec = spec[FOLDS][fold.number - 1] if fold else spec[UNLABELLED]
        return self._pool(spec, speaks_on, (key,))

    def pools(self, language: str) -> dict[Fold | None, Pool]:
        """Return the teachers of each fold of a language's text, and of text that is not divided (None).

        Raises:
            UserError: as :meth:`pool`.
        """
        found: dict[Fold | None, Pool] = {
            fold: self.pool(language, fold) for fold in Fold.all(self.divided(language))
        }
        if not found or self.divided(language) != self.divided(language, labelled=False):
            found[None] = self.pool(language)
        return found

    def divided(self, language: str, labelled: bool = True) -> int:
        """Return the number of folds of a language's text, each with teachers of its own; 0 for text as a whole.

        Args:
            language: its code.
            labelled: of annotated sentences, or of unlabelled ones.

        Raises:
            UserError: the file names folds in another form.
        """
        if not self.mapping:
            return self.folds if labelled else 0
        spec = self._entry(language)[1] if language in self.mapping or OTHERS in self.mapping else None
        if not isinstance(spec, dict) or FOLDS not in spec or (UNLABELLED in spec and not labelled):
            return 0
        return len(spec[FOLDS])

    def _entry(self, language: str) -> tuple[str, Any, str]:
        """Return the key of the entry for a language, the entry, and the language of its teachers.

        An entry that is another language's code is that one's, if that one is of folds.
        """
        key = language if language in self.mapping else OTHERS
        end, way = key, [key]
        while isinstance(self.mapping[end], str) and self.mapping[end] in self.mapping:
            end = self.mapping[end]
            if end in way:
                break  # a circle, which is refused where the pool is made
            way.append(end)
        spec = self.mapping[end]
        if not isinstance(spec, dict) or FOLDS not in spec:
            return key, self.mapping[key], language
        refuse_other_form(spec, f"{self.sources[0]}: the teachers of '{end}'")
        own = next((code for code in reversed(way) if code != OTHERS), language)
        return end, spec, own

    @property
    def home(self) -> Path:
        """Return the folder of a task's runs, in which teachers and baseline are found unless they are elsewhere."""
        return self.sources[0].parent

    def of(self, language: str) -> tuple[Path, ...]:
        """Return the run folders of the teachers that speak on a language's undivided text; empty where none does."""
        return self.pool(language).folders

    def folders(self, languages: Iterable[str]) -> list[Path]:
        """Return the run folders of all teachers that speak on these languages, each once."""
        pools = (pool for language in languages for pool in self.pools(language).values())
        return list(dict.fromkeys(folder for pool in pools for folder in pool.folders))

    def require(self, languages: Iterable[str]) -> None:
        """Refuse languages on which no teacher speaks, a file that names other languages, and a source of no teacher.

        Raises:
            UserError: naming the source, or the languages and the command that trains their teachers; or a fold's
                teacher that may have seen it, or one whose training was stopped.
        """
        languages, where = list(languages), " ".join(map(str, self.sources))
        if others := [
            code for code in self.mapping if code not in (*languages, OTHERS) and not self._cited(code)
        ]:
            raise UserError(
                f"{where}: no text of language {', '.join(others)} is trained on (there is {', '.join(languages)})"
            )
        pools = {language: self.pools(language) for language in languages}
        if missing := [code for code, found in pools.items() if not all(p.folders for p in found.values())]:
            named, codes = " or ".join(f"'{language}'" for language in missing), " ".join(missing)
            folds = f" --folds {self.folds}" if self.folds else ""
            beside = f", or beside it for each of {self.folds} folds" if self.folds else ""
            make = f' (or make teachers LANGS="{codes}")' if not folds else ""
            raise UserError(
                f"no teacher for language {named} in {where}{beside}; train it with: skd teachers --langs "
                f"{codes}{folds}{make}, and the same task and data; or name one from elsewhere, such as "
                "hf:owner/name or a file of predictions (.jsonl)"
            )
        for fold, pool in (pair for found in pools.values() for pair in found.items()):
            if fold is not None:
                refuse_seen(pool.folders, fold)
        for run in map(RunFolder, self.folders(languages)):
            if run.last.is_file() and not run.finished:
                raise UserError(
                    f"{run.path}: the training of this teacher has not finished; let it go on first"
                )
        for source in () if self.mapping else self.sources:
            if not any(_runs(source, language) for language in languages):
                raise UserError(
                    f"{source}: no teacher for {', '.join(languages)} there; expected a run folder, hf:owner/name, a "
                    "folder of a token classifier, a file of predictions (.jsonl), or a folder with one of these a "
                    "language (a file of teachers is given alone, without others)"
                )

    def _cited(self, code: str) -> bool:
        """Return True if another language's teachers are said to be those of this one."""
        return any(code in words_in(spec) for key, spec in self.mapping.items() if key != code)

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
        self, kind: PoolKind, specs: list[Any], weights: Any, language: str, way: tuple[str, ...]
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
    """Return the teacher that a source has for a language, if any.

    Raises:
        UserError: the source is a file of another kind, which holds a teacher for no language.
    """
    found = teacher_at(source, language)
    if found is None and source.is_file() and source.suffix not in (".yaml", ".yml"):
        raise UserError(
            f"{source}: a file, but no teacher; give a run folder, a folder of a token classifier, a file of "
            "teachers (.yaml), or one of predictions (.jsonl), which any tagger can write"
        )
    return [] if found is None else [found]


def _without_pieces(spec: Any, pieces: dict[Path, Pooling], file: Path) -> Any:
    """Return an entry of a file in which ``{model: M, pieces: P}`` is M alone; P is noted.

    Raises:
        UserError: the pieces are neither ``first`` nor ``mean``, or both for one model.
    """
    if isinstance(spec, list):
        return [_without_pieces(part, pieces, file) for part in spec]
    if not isinstance(spec, dict):
        return spec
    if MODEL not in spec:
        return {key: _without_pieces(part, pieces, file) for key, part in spec.items()}
    name, chosen = spec[MODEL], spec.get(PIECES, "first")
    if not isinstance(name, str) or set(spec) - {MODEL, PIECES} or chosen not in get_args(Pooling):
        raise UserError(f"{file}: {spec!r} is no model; expected {{model: NAME, pieces: first}}, or mean")
    if pieces.setdefault(Path(name), chosen) != chosen:
        raise UserError(
            f"{file}: {name} is named with the first piece of a word and with their mean; take one"
        )
    return name


def words_in(spec: Any) -> list[str]:
    """Return the words of an entry of a file of teachers, however deep: folders, languages and ways to pool."""
    if isinstance(spec, str):
        return [spec]
    parts = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    return [word for part in parts for word in words_in(part)]


def _read(file: Path) -> dict[str, Any]:
    found = read_yaml(file)
    if not isinstance(found, dict) or not found:
        raise UserError(f"{file}: expected {{language: teachers}}, such as {{en: runs/a, '*': runs/multi}}")
    if any(isinstance(key, bool) for key in found):
        raise UserError(f"{file}: YAML reads no and yes as truth values; write the language as 'no'")
    return {str(key): value for key, value in found.items()}
