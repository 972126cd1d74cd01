"""The page of a saved tagger: a README that the hub understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINK = "https://arxiv.org/abs/2004.03846"

TEXT = """\
# {title}

A tagger of {languages}, made with skd_lightning: {what}.

Its tags: {tags}.

{taught}

## Use

```python
# pip install skd-lightning
from skd_lightning.serving import Runtime

tagger = Runtime.load("{name}")
tagger.tag("{example}", language="{language}")
```

`skd tag {name} FILE` tags a file; `skd_lightning.load("{name}")` is the same tagger in PyTorch.

{scores}"""


def card(name: str, description: Mapping[str, Any], results: Mapping[str, Any] | None = None) -> str:
    """Return the page as Markdown with a YAML header.

    Args:
        name: of the folder, or ``owner/name`` on the hub.
        description: of the tagger.
        results: content of its run's ``results.json``, for the scores.
    """
    results = results or {}
    languages: list[str] = description["languages"]
    entities = description["scheme"] != "none"
    what = f"a CRF with {'entity tags' if entities else 'one tag a word'}, with exact probabilities"
    loss = results.get("loss", "")
    taught = (
        f"It was distilled from teachers of its languages with the objective `{loss}` "
        f"([Wang et al. 2020]({LINK})), and learned from annotated sentences."
        if loss and loss != "none" and results.get("role") == "student"
        else "It learned from annotated sentences alone."
    )
    tags = (
        sorted({tag.partition("-")[2] for tag in description["tags"]} - {""})
        if entities
        else description["tags"]
    )
    text = TEXT.format(
        title=name.rpartition("/")[2],
        name=name,
        languages=", ".join(languages),
        language=languages[0] if languages else "",
        what=what,
        tags=", ".join(f"`{tag}`" for tag in tags),
        taught=taught if results else "",
        example="Anna Berg lives in Lincoln.",
        scores=_scores(results),
    )
    return f"---\n{_header(name, languages, results)}---\n\n{text.strip()}\n"


def _scores(results: Mapping[str, Any]) -> str:
    if not results:
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
            for language, row in results["languages"].items()
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
        "language": [language.split("_")[0] for language in languages],
        "library_name": "skd_lightning",
        "pipeline_tag": "token-classification",
        "tags": ["token-classification", "sequence-labelling", "crf", "knowledge-distillation"],
    }
    if results:
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
                    for language, row in results["languages"].items()
                ],
            }
        ]
    return str(yaml.safe_dump(header, sort_keys=False, allow_unicode=True))
