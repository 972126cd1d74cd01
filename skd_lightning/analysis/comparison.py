"""Systems beside each other on the same languages: their scores, and how sure their differences are."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

import numpy as np

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.bootstrap import Difference, Floats
from skd_lightning.analysis.collection import BASELINE, TEACHERS, TaskRuns
from skd_lightning.analysis.scores import Scores, common, parts
from skd_lightning.metrics import COLUMNS

BEST_TEACHER, MEAN_TEACHER = "best teacher", "mean of teachers"

PAIRED = [COLUMNS.index("words"), COLUMNS.index("gold")]


@dataclass
class Contrast:
    """One system against another.

    Attributes:
        languages: those that both were tested on.
        value: difference of the macro means over them, seeds averaged.
        certain: the same with interval and p value, None where sentences were not counted.
        by_language: difference on each language.
        certain_by_language: the same with interval, for each language that has counts.
        seeds: number of pairs of runs with the same seed, and in how many the first has the higher macro mean.
    """

    languages: list[str]
    value: float
    certain: Difference | None
    by_language: dict[str, float]
    certain_by_language: dict[str, Difference]
    seeds: tuple[int, int]

    @property
    def better(self) -> int:
        """Count the languages with a higher score, as printed: by 0.01 points or more."""
        return sum(round(100 * value, 2) > 0 for value in self.by_language.values())

    def clearly(self, sign: int) -> int:
        """Count the languages whose whole 95 % interval is above (1) or below (-1) zero."""
        found = self.certain_by_language.values()
        return sum(d.low > 0 if sign > 0 else d.high < 0 for d in found)


@dataclass
class Comparison:
    """Scores of several systems on the same test data.

    Attributes:
        metric: ``"f1"`` or ``"accuracy"``.
        languages: columns of the tables.
        systems: by name, in the order of the tables; each holds the scores of its taggers, one a seed.
        seeds: the seeds of the systems that are students or peers.
        losses: the objective of each student.
        baseline: name of the student without teachers; it may not be among the systems.
        peers: names of the systems of other libraries.
        text_only: students that have no labels of some languages -> these languages.
        partly_counted: systems of which not all runs have counts -> how many have.
    """

    metric: str
    languages: list[str]
    systems: dict[str, list[Scores]]
    seeds: dict[str, list[int]]
    losses: dict[str, str] = field(default_factory=dict)
    baseline: str = BASELINE
    peers: list[str] = field(default_factory=list)
    text_only: dict[str, list[str]] = field(default_factory=dict)
    partly_counted: dict[str, int] = field(default_factory=dict)
    _drawn: dict[tuple[str, str], tuple[float, Floats]] = field(default_factory=dict, repr=False)

    @property
    def students(self) -> list[str]:
        """Return the names of the students; the baseline is one of them."""
        return [name for name in self.systems if name in self.seeds and name not in self.peers]

    @property
    def rivals(self) -> list[str]:
        """Return the students other than the baseline; none where the baseline is missing."""
        return [s for s in self.students if s != self.baseline] if self.baseline in self.students else []

    @property
    def controls(self) -> dict[str, str]:
        """Return {student: the same student without teachers}, whose name is the student's and ``-none``.

        The baseline is nobody's control: every student stands against it anyway.
        """
        named = {name: f"{name}-none" for name in self.students}
        return {name: own for name, own in named.items() if own in self.students and own != self.baseline}

    def scores(self, name: str, language: str) -> list[float]:
        """Return the score of each tagger of a system that was tested on the language."""
        return [found.languages[language] for found in self.systems[name] if language in found.languages]

    def mean(self, name: str, language: str) -> float:
        """Return the mean over the taggers of a system; not a number without any."""
        scores = self.scores(name, language)
        return fmean(scores) if scores else float("nan")

    def has(self, name: str) -> list[str]:
        """Return the languages that a system was tested on, a student with each of its taggers."""
        groups = [found.languages for found in self.systems[name]]
        held = common(groups) if name in self.seeds else {language for group in groups for language in group}
        return [language for language in self.languages if language in held]

    def average(self, name: str) -> float:
        """Return the macro mean over the languages that a system has, taggers averaged."""
        values = [self.mean(name, language) for language in self.has(name)]
        return fmean(values) if values else float("nan")

    def spread(self, name: str, language: str | None = None) -> float | None:
        """Return the sample standard deviation over seeds of a system's score (None: of its macro mean)."""
        if name not in self.seeds:
            return None
        if language is not None:
            values = self.scores(name, language)
        else:
            values = [found.mean(self.has(name)) for found in self.systems[name]] if self.has(name) else []
        return stdev(values) if len(values) > 1 else None

    def best(self) -> str | None:
        """Return the student with the highest average among those that have all languages."""
        complete = [name for name in self.students if self.has(name) == self.languages]
        return max(complete, key=self.average, default=None)

    def best_rival(self, among: Collection[str]) -> str | None:
        """Return the student with the highest average that is not the baseline.

        Args:
            among: names; others are passed over, and so are those that lack a language.
        """
        complete = [name for name in self.rivals if name in among and self.has(name) == self.languages]
        return max(complete, key=self.average, default=None)

    # -- differences ----------------------------------------------------------------------------------------

    def resample(self, notes: list[str], resamples: int = bootstrap.RESAMPLES) -> None:
        """Score everything that has counts on the same resamples of the test sentences, language by language.

        Args:
            notes: what cannot be compared is added here.
            resamples: number of them.
        """
        usable: dict[str, list[Scores]] = {}
        # Where test sentences differ, the baseline's are the ones to compare on, and peers' come last.
        order = sorted(self.systems, key=lambda name: (name in self.peers, name != self.baseline))
        for name in order:
            found = self.systems[name]
            counted = [s for s in found if all(language in s.counts for language in s.languages)]
            if len(counted) < len(found):
                self.partly_counted[name] = len(counted)
            usable[name] = counted
        unpaired: dict[str, list[str]] = {}
        for language in self.languages:
            reference = None
            names, taggers = [], []
            for name, found in usable.items():
                counts = [s.counts[language] for s in found if language in s.counts]
                if not counts:
                    continue
                reference = counts[0][:, PAIRED] if reference is None else reference
                if any(not np.array_equal(c[:, PAIRED], reference) for c in counts):
                    unpaired.setdefault(name, []).append(language)
                    continue
                names.append(name)
                taggers.append([parts(c, self.metric) for c in counts])
            if len(names) > 1 and len(taggers[0][0]):
                # A stream for each language: the draws of two languages have to be independent.
                found_here, drawn = bootstrap.scores(taggers, resamples, zlib.crc32(language.encode()))
                for place, name in enumerate(names):
                    self._drawn[name, language] = float(found_here[place]), drawn[:, place].copy()
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, of_system in unpaired.items():
            alike.setdefault(tuple(of_system), []).append(name)
        for where, group in alike.items():
            named, languages = ", ".join(group), ", ".join(where)
            notes.append(f"{named}: other test sentences in {languages} than the rest; no bootstrap there")

    def contrast(self, name: str, other: str) -> Contrast | None:
        """Compare a system with another on the languages of both; return None without any."""
        if name not in self.systems or other not in self.systems:
            return None
        languages = common([self.has(name), self.has(other)])
        if not languages:
            return None
        by_language = {
            language: self.mean(name, language) - self.mean(other, language) for language in languages
        }
        certain = {
            language: self._certain(name, other, [language])
            for language in languages
            if (name, language) in self._drawn and (other, language) in self._drawn
        }
        whole = self._certain(name, other, languages) if len(certain) == len(languages) else None
        value = whole.value if whole else fmean(by_language.values())
        return Contrast(languages, value, whole, by_language, certain, self._pairs(name, other, languages))

    def _certain(self, name: str, other: str, languages: Sequence[str]) -> Difference:
        sides = []
        for side in (name, other):
            found = [self._drawn[side, language] for language in languages]
            sides.append((fmean(value for value, _ in found), sum(drawn for _, drawn in found) / len(found)))
        (ours, our_draws), (theirs, their_draws) = sides
        return bootstrap.difference(ours, theirs, np.asarray(our_draws), np.asarray(their_draws))

    def _pairs(self, name: str, other: str, languages: Sequence[str]) -> tuple[int, int]:
        """Count the pairs of the same seed, and how many of them the first system wins."""
        ours, theirs = (
            {seed: found.mean(languages) for seed, found in self._seeded(system)} for system in (name, other)
        )
        pairs = [seed for seed in ours if seed in theirs]
        return len(pairs), sum(ours[seed] > theirs[seed] for seed in pairs)

    def _seeded(self, name: str) -> Iterator[tuple[int, Scores]]:
        return zip(self.seeds.get(name, []), self.systems[name], strict=False)

    def gap_closed(self, name: str, above: str = TEACHERS) -> float | None:
        """Return the share of the baseline's distance to the teachers that a student covers.

        The languages are those of all three; None where the teachers are not above the baseline, or one is missing.
        """
        if self.baseline not in self.systems or above not in self.systems:
            return None
        languages = common([self.has(system) for system in (name, self.baseline, above)])
        if not languages:
            return None
        ours, low, high = (
            fmean(self.mean(system, language) for language in languages)
            for system in (name, self.baseline, above)
        )
        return (ours - low) / (high - low) if round(100 * (high - low), 2) > 0 else None


def on_trained_languages(runs: TaskRuns) -> Comparison:
    """Compare teachers (as one system), peers and students on the languages that they were trained on."""
    systems = {TEACHERS: [runs.teachers_together()]} if runs.teachers else {}
    systems |= {name: [peer.test for peer in group] for name, group in runs.peers.items()}
    systems |= {name: [run.test for run in group] for name, group in runs.students.items()}
    seeds = {name: [run.results.seed for run in group] for name, group in runs.students.items()}
    seeds |= {name: [peer.results.seed for peer in group] for name, group in runs.peers.items()}
    peers = [*runs.peers]
    return Comparison(
        runs.metric, runs.languages, systems, seeds, runs.losses, runs.baseline, peers, runs.text_only
    )


def on_zeroshot_languages(runs: TaskRuns) -> Comparison | None:
    """Compare teachers and students on languages that they were not trained on; None without any.

    Teachers stand there twice, since none of them knows the language: the best one of each language (chosen by its
    test score, as in the paper, which flatters it), and the mean of all of them.
    """
    students = {
        name: [(run.results.seed, run.zeroshot) for run in group if run.zeroshot]
        for name, group in runs.students.items()
    }
    students = {name: found for name, found in students.items() if found}
    teachers = [run.zeroshot for run in runs.teachers.values() if run.zeroshot]
    known = set(runs.languages)
    asked = {language for found in students.values() for _, scores in found for language in scores.languages}
    asked = asked or {language for scores in teachers for language in scores.languages} - known
    languages = sorted(asked)
    if not languages:
        return None
    systems: dict[str, list[Scores]] = {}
    best = Scores({}, {})
    for language in languages:
        able = [scores for scores in teachers if language in scores.languages]
        if able:
            best.add(language, max(able, key=lambda scores: scores.languages[language]))
    if best.languages:
        systems = {BEST_TEACHER: [best], MEAN_TEACHER: [scores.only(languages) for scores in teachers]}
    systems |= {name: [scores for _, scores in found] for name, found in students.items()}
    seeds = {name: [seed for seed, _ in found] for name, found in students.items()}
    return Comparison(runs.metric, languages, systems, seeds, runs.losses, runs.baseline)
