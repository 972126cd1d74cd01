"""The page of a saved tagger: a README that the hub understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skd_lightning.serving.text.languages import code_of

FIRST = ("Wang et al. 2020", "https://arxiv.org/abs/2004.03846")
SOURCES = {
    **dict.fromkeys(("token", "emission", "topk", "topwk", "posterior", "pos_topwk"), FIRST),
    "structural": ("Wang et al. 2021", "https://arxiv.org/abs/2010.05010"),
    "path_set": ("Kurniawan et al. 2022", "https://arxiv.org/abs/2110.03866"),
}
"""Paper and address of each objective of this package."""

TEXT = """\
# {title}

A tagger of {languages}, made with skd_lightning: {what}.

Its tags: {tags}.

{taught}

## Use

{use}

{scores}"""

WITHOUT_TORCH = """\
```python
# pip install skd-lightning
from skd_lightning.serving import Runtime

tagger = Runtime.load("{name}")
{example}
```

`skd tag {name} FILE` tags a file; `skd_lightning.load("{name}")` is the same tagger in PyTorch."""

WITH_TORCH = """\
```python
# pip install 'skd-lightning[train]'
import skd_lightning

tagger = skd_lightning.load("{name}"{loading})
{example}
```"""


def card(
    name: str,
    description: Mapping[str, Any],
    results: Mapping[str, Any] | None = None,
    text_only: Sequence[str] = (),
    loading: str | None = None,
) -> str:
    """Return the page as Markdown with a YAML header.

    Args:
        name: of the folder, or ``owner/name`` on the hub.
        description: of the tagger.
        results: content of its run's ``results.json``, for the scores.
        text_only: languages of which it has seen text alone.
        loading: further arguments of ``skd_lightning.load`` for one that needs PyTorch; None for others.
    """
    results = results or {}
    languages: list[str] = description["languages"]
    entities = description["scheme"] != "none"
    what = f"a CRF with {'entity tags' if entities else 'one tag a word'}, with exact probabilities"
    tags = (
        sorted({tag.partition("-")[2] for tag in description["tags"]} - {""})
        if entities
        else description["tags"]
    )
    text = TEXT.format(
        title=name.rpartition("/")[2],
        name=name,
        languages=", ".join(languages),
        what=what,
        tags=", ".join(f"`{tag}`" for tag in tags),
        taught=_taught(results, languages, text_only) if results else "",
        use=_use(name, languages, loading),
        scores=_scores(results),
    )
    return f"---\n{_header(name, languages, results)}---\n\n{text.strip()}\n"


def _taught(results: Mapping[str, Any], languages: Sequence[str], text_only: Sequence[str]) -> str:
    """Return what the tagger learned from."""
    loss = results.get("loss", "")
    annotated = [language for language in languages if language not in text_only]
    sentences = f"annotated sentences of {', '.join(annotated)}" if text_only else "annotated sentences"
    if not loss or loss == "none" or results.get("role") != "student":
        lacking = f" It has seen no annotated sentence of {', '.join(text_only)}." if text_only else ""
        return f"It learned from {sentences} alone.{lacking}"
    source = " ([{}]({}))".format(*SOURCES[loss]) if loss in SOURCES else ""
    taught = f"It was distilled from teachers of its languages with the objective `{loss}`{source}"
    if text_only:
        return f"{taught}: on {sentences}, and on text without annotation of {', '.join(text_only)}."
    return f"{taught}, and learned from {sentences}."


def _use(name: str, languages: Sequence[str], loading: str | None) -> str:
    """Return how the tagger is loaded, with a sentence to tag where one of its languages is English."""
    english = next((language for language in languages if code_of(language) == "en"), None)
    language = english or next(iter(languages), "")
    text = '"Anna Berg lives in Lincoln."' if english else "text"
    example = f'tagger.tag({text}, language="{language}")'
    if loading is None:
        return WITHOUT_TORCH.format(name=name, example=example)
    return WITH_TORCH.format(name=name, example=example, loading=loading)


def _tested(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores by language, of those that have test sentences."""
    return {language: row for language, row in results.get("languages", {}).items() if row["sentences"]}


def _scores(results: Mapping[str, Any]) -> str:
    tested = _tested(results)
    if not tested:
        return ""
    metric = results["metric"]
    names = ["precision", "recall", "f1", "accuracy"] if metric == "f1" else [metric]
    lines = [
        f"## Scores on test sentences of `{results['task']}`",
        "",
        f"| language | {' | '.join(names)} | sentences | words |",
        f"|---|{'---:|' * (len(names) + 2)}",
        *(
            f"| {language} | {' | '.join(_percent(row[name]) for name in names)} "
            f"| {row['sentences']:,} | {row['words']:,} |"
            for language, row in tested.items()
        ),
        "",
        f"Macro mean of {metric}: {_percent(results['average'])}.",
    ]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _header(name: str, languages: list[str], results: Mapping[str, Any]) -> str:
    """Return the YAML header, which names what the hub sorts by."""
    import yaml

    header: dict[str, Any] = {
        "language": [code_of(language) for language in languages],
        "library_name": "skd_lightning",
        "pipeline_tag": "token-classification",
        "tags": ["token-classification", "sequence-labelling", "crf", "knowledge-distillation"],
    }
    if tested := _tested(results):
        metric = results["metric"]
        header["model-index"] = [
            {
                "name": name.rpartition("/")[2],
                "results": [
                    {
                        "task": {"type": "token-classification"},
                        "dataset": {"name": f"{results['task']} ({language})", "type": results["task"]},
                        "metrics": [{"type": metric, "value": round(row[metric], 4)}],
                    }
                    for language, row in tested.items()
                ],
            }
        ]
    return str(yaml.safe_dump(header, sort_keys=False, allow_unicode=True))
