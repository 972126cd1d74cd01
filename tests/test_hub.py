"""The hub, as far as it can be had without a network: folders laid out as it serves them, read by ``datasets``."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from skd_lightning.data import tasks
from skd_lightning.data.corpora import load_corpora
from skd_lightning.data.hub import _state, hub_languages
from skd_lightning.data.task import PARQUET, HubPlace, HubSource, Task
from skd_lightning.errors import UserError

datasets = pytest.importorskip("datasets")
SPLITS = ("train", "validation", "test")
NER = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


@pytest.fixture(autouse=True)
def _nothing_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No corpora beside the tests, and a cache that goes with them."""
    (tmp_path / "work/here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work/here")
    monkeypatch.delenv("SKD_DATA", raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def parquet(file: Path, words: list[str], tags: list, kind: object, column: str = "ner_tags") -> None:
    features = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), column: datasets.List(kind)}
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    made = datasets.Dataset.from_dict({"tokens": [words], column: [tags]}, features=features)
    made.to_parquet(str(file))


def entry(monkeypatch: pytest.MonkeyPatch, name: str, task: Task) -> None:
    """Give a task another entry."""
    monkeypatch.setattr(f"skd_lightning.data.tasks.{name}.TASK", task)


def card(folder: Path, *configs: str) -> None:
    """The README with the metadata that names the files of each configuration."""
    lines = ["---", "configs:"]
    for config in configs:
        lines += [f"- config_name: {config}", "  data_files:"]
        lines += [line for s in SPLITS for line in (f"  - split: {s}", f"    path: {config}/{s}-*")]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))


def test_configurations_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "wikiann"
    for config in ("en", "sl", "sw"):
        for split in SPLITS:
            file = folder / config / f"{split}-00000-of-00001.parquet"
            parquet(file, [config, split], [5, 0], datasets.ClassLabel(names=list(NER)))
    card(folder, "en", "sl", "sw")
    known = {code: HubPlace(str(folder), code, "main") for code in ("en", "sl")}
    source = HubSource(known, others=(str(folder), "main"))
    entry(monkeypatch, "wikiann", Task(languages=("en", "sl"), hub=source))
    corpora = load_corpora("wikiann")
    assert list(corpora.languages) == ["en", "sl"]
    (sentence,) = corpora.languages["sl"]["dev"]
    assert (sentence.words, sentence.tags) == (("sl", "validation"), ("B-LOC", "O"))
    assert corpora.notes[0].startswith(f"en: {folder} (en), main, fingerprint ")
    # any other language of the corpus by its name
    other = load_corpora("wikiann", languages=["sw"], revision="v2")
    assert other.languages["sw"]["test"][0].words == ("sw", "test")
    assert ", v2, " in other.notes[0]
    with pytest.raises(UserError, match=r"task wikiann, language xx: .*'xx' not found.*local folder"):
        load_corpora("wikiann", languages=["xx"])


def test_the_branch_of_converted_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``refs/convert/parquet`` has no card: a folder a configuration, in it a folder a split."""
    folder = tmp_path / "ud"
    for config in ("fr_sequoia", "cs_fictree"):
        for split in SPLITS:
            names = datasets.ClassLabel(names=["NOUN", "ADP", "_"])
            parquet(
                folder / config / split / "0000.parquet",
                ["du", "de", "le", split],
                [2, 1, 1, 0],
                names,
                "upos",
            )
    known = {"fr": HubPlace(str(folder), "fr_sequoia", PARQUET)}
    source = HubSource(known, others=(str(folder), PARQUET), tags="upos", names=())
    entry(monkeypatch, "upos", Task(hub=source))
    corpora = load_corpora("upos", languages=["fr", "cs_fictree"])
    for language in ("fr", "cs_fictree"):
        (sentence,) = corpora.languages[language]["test"]
        # the multiword token "du" has no part of speech; its words follow
        assert (sentence.words, sentence.tags) == (("de", "le", "test"), ("ADP", "ADP", "NOUN"))


def test_numbers_without_names_get_the_task_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conll2003"
    for split in SPLITS:
        parquet(folder / "data" / f"{split}-00000.parquet", ["U.N.", "met"], [3, 0], datasets.Value("int64"))
    places = {"en": HubPlace(str(folder), None, "main")}
    entry(monkeypatch, "conll", Task(languages=("en",), hub=HubSource(places)))
    assert load_corpora("conll").languages["en"]["train"][0].tags == ("B-ORG", "O")
    entry(monkeypatch, "conll", Task(languages=("en",), hub=HubSource(places, names=("O",))))
    with pytest.raises(UserError, match="tag 3 has no name"):
        load_corpora("conll")
    entry(monkeypatch, "conll", Task(languages=("en",), hub=HubSource(places, tags="tags")))
    with pytest.raises(UserError, match="no column tags; there are tokens, ner_tags"):
        load_corpora("conll")


def test_the_commit_is_read_off_the_cache() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    loaded = SimpleNamespace(
        cache_files=[{"filename": f"/cache/unimelb-nlp___wikiann/en/0.0.0/{commit}/wikiann-train.arrow"}]
    )
    assert _state({"train": loaded}) == f"commit {commit}"


def test_the_tasks_of_the_paper() -> None:
    assert set(hub_languages("wikiann")) == set("en ta eu he id fa sl fr".split())
    assert set(hub_languages("upos")) == set("en he ja sl fr id fa ta".split())
    assert set(hub_languages("conll")) == {"en", "es", "nl"}
    assert set(hub_languages("uner")) == set("da en hr pt sk sv".split())
    sources = {name: tasks.entry(name) for name in tasks.task_names() if tasks.entry(name).hub}
    assert sources.keys() == {"conll", "uner", "upos", "wikiann"}
    for task in sources.values():
        assert task.hub is not None
        assert set(task.languages) <= set(task.hub.places)
        assert all(place.dataset.count("/") == 1 for place in task.hub.places.values())
    with pytest.raises(UserError, match="no 'fi'; it has en, es, nl"):
        load_corpora("conll", languages=["fi"])


def test_a_hub_out_of_reach_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is one of this machine, where nobody listens: refused as a missing network refuses."""
    import huggingface_hub.constants

    from skd_lightning import hub_access

    for switch in hub_access.SWITCHES:
        monkeypatch.delenv(switch, raising=False)
    for library in (huggingface_hub.constants, datasets.config):
        monkeypatch.setattr(library, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_access, "getproxies", dict)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    asked: list[str] = []
    monkeypatch.setattr(
        "huggingface_hub.utils._http.time.sleep", lambda seconds: asked.append(f"{seconds} s")
    )
    hub_access.outage.cache_clear()
    try:
        with pytest.raises(UserError) as error:
            load_corpora("wikiann", None, ["de"])
        assert "(127.0.0.1 does not answer: Connection refused); give a local folder" in str(error.value)
        assert "\n" not in str(error.value)
        assert asked == []  # no retries were waited for
        hub_access.outage.cache_clear()
        assert (
            hub_access.outage() is None
        )  # what a user, or an earlier question, has switched off is not tried again
    finally:
        hub_access.outage.cache_clear()
        os.environ.pop("HF_HUB_OFFLINE", None)
