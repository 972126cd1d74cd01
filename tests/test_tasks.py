"""Tasks: one file each, found by its name; their default options; the handshake of data and model."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_corpus import write_corpus

from skd_lightning.cli import main
from skd_lightning.data import tasks
from skd_lightning.data.corpora import load_corpora, training_languages
from skd_lightning.data.module import TaggingData
from skd_lightning.data.task import Task
from skd_lightning.distillation.objectives import by_name
from skd_lightning.errors import UserError
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.plan import Plan
from skd_lightning.taggers import Student, Teacher

SIZES = {"train": 20, "dev": 6, "test": 6}
QUICK = ["--trainer.enable_progress_bar", "false", "--model.context.hidden_size", "8"]
QUICK += ["--model.embedder.buckets", "512", "--trainer.max_epochs", "1"]

NAMES_ALONE = """
import sys
from skd_lightning.data.tasks import task_names, suggestion
assert "upos" in task_names() and suggestion("upso")
print(*sorted({"torch", "numpy", "pytorch_lightning", "datasets"} & sys.modules.keys()))
"""

REVIEWS = """
from skd_lightning.data.task import Task
TASK = Task(languages=("xx",), options={"data.tokens": 321})
"""


def test_names_are_known_without_heavy_imports() -> None:
    done = subprocess.run([sys.executable, "-c", NAMES_ALONE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", tasks.task_names())
def test_every_entry_says_where_its_corpora_are_and_how_to_train(name: str, tmp_path: Path) -> None:
    task = tasks.entry(name)
    assert task.generate or task.hub or task.licensed
    assert bool(task.published.patterns) == bool(task.published.example)
    if task.published.example:
        assert task.published.holds(task.published.example)
        assert task.published.holds(f"{task.published.example}.gz")
    for splits in task.published.patterns.values():
        for pattern in splits.values():
            re.compile(pattern)
    plan = Plan(tmp_path, name, str(tmp_path), ["en"])
    for run in (plan.teacher("en"), plan.student("none", seed=1)):
        config = run.parse().cli.config
        settings = {"trainer.max_epochs": config.trainer.max_epochs, "data.tokens": config.data.tokens}
        assert settings == {option: task.options[option] for option in settings}
        assert config.data.task == name


def test_the_defaults_of_the_tasks(tmp_path: Path) -> None:
    def settings(name: str) -> tuple[float, float, int, int]:
        config = Plan(tmp_path, name, str(tmp_path)).student("none", seed=1).parse().cli.config
        embedder, context = (
            config.model.init_args.embedder.init_args,
            config.model.init_args.context.init_args,
        )
        assert embedder.dropout == context.dropout
        return embedder.dropout, embedder.form_dropout, config.data.tokens, config.trainer.max_epochs

    for name in ("absa", "conll", "uner", "wikiann"):
        assert settings(name) == (0.5, 0.25, 1000, 30)
    assert settings("upos") == (0.5, 0.4, 500, 40)
    assert settings("demo") == (0.33, 0.25, 500, 20)
    assert settings("mine") == (0.33, 0.25, 1000, 40)  # a task of one's own: what the classes say


@pytest.mark.parametrize("name", ["student", "teacher", "finetune"])
@pytest.mark.parametrize("recipe", [None, "paper"])
def test_a_task_of_one_s_own_may_be_called_like_a_file_of_the_experiments(
    tmp_path: Path, name: str, recipe: str | None
) -> None:
    plan = Plan(tmp_path, name, str(tmp_path), ["en"], recipe=recipe)
    for role, run in (("teacher", plan.teacher("en")), ("student", plan.student("none", seed=1))):
        files = [Path(word).name for word in run.arguments if word.endswith(".yaml")]
        assert files == [f"{role}.yaml"] * (2 if recipe else 1)


def test_a_new_task_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reviews.py").write_text(REVIEWS)
    assert tasks.entry("reviews") == Task()
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    tasks.task_names.cache_clear()
    try:
        assert "reviews" in tasks.task_names()
        assert tasks.entry("reviews").languages == ("xx",)
        plan = Plan(tmp_path, "reviews", str(tmp_path), ["en"])
        assert plan.student("none", seed=1).parse().cli.config.data.tokens == 321
    finally:
        monkeypatch.undo()
        tasks.task_names.cache_clear()
        sys.modules.pop("skd_lightning.data.tasks.reviews", None)


def test_a_misspelt_task_gets_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "reviews", ["en"], SIZES)
    with pytest.raises(UserError, match=r"did you mean 'upos'\?$"):
        load_corpora("upso", str(tmp_path))
    with pytest.raises(UserError, match=r"did you mean 'reviews'\?$"):
        load_corpora("reveiws", str(tmp_path))
    with pytest.raises(UserError, match=r"train, dev and test files there; .* holds reviews/ \(en/\); "):
        load_corpora("something_else", str(tmp_path))
    monkeypatch.delenv("SKD_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(UserError, match=r"^task 'wikian' is none of .* did you mean 'wikiann'\?$") as error:
        training_languages("wikian")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"name the folder of your corpora with --data$"):
        training_languages("something_else")


def test_the_command_line_says_it_too(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["corpus", "--task", "upso", "--data", str(tmp_path)])
    assert stop.value.code == 2
    assert "did you mean 'upos'?" in capsys.readouterr().err


# -- data and model ---------------------------------------------------------------------------------------


def made(folder: Path, role: str, *options: str) -> TaggingCLI:
    """Data, model and trainer of a small training on a corpus with unlabelled text."""
    if not (folder / "mine").is_dir():
        write_corpus(folder / "mine", ["de", "en"], SIZES)
        (folder / "mine/en/unlabelled.txt").write_text("one two three\nfour five\n")
    words = ["--config", f"experiments/{role}.yaml", "--data.task", "mine", "--data.data", str(folder)]
    words += [*QUICK, "--trainer.default_root_dir", str(folder / role), *options]
    return TaggingCLI(words, run=False)


def test_data_that_no_encoder_was_given_to_say_so(tmp_path: Path) -> None:
    cli = made(tmp_path, "student")
    fresh = TaggingData("mine", str(tmp_path))
    with pytest.raises(
        UserError, match=r"data\.connect\(model\.featurizer, model\.training_featurizer\)"
    ) as error:
        cli.trainer.fit(cli.model, datamodule=fresh)
    assert "\n" not in str(error.value)
    fresh.connect(cli.model.featurizer, cli.model.training_featurizer)
    cli.trainer.fit(cli.model, datamodule=fresh)
    assert len(fresh.train_dataset) == 2 * SIZES["train"]


def test_a_teacher_has_learnt_its_words_before_the_trainer_starts(tmp_path: Path) -> None:
    cli = made(tmp_path, "teacher", "--data.languages", "[en]", "--model.embedder.word_embedding_size", "4")
    assert isinstance(cli.model, Teacher)
    words = {word.lower() for sentence in cli.datamodule.train_sentences for word in sentence.words}
    assert cli.model.encoder.vocabulary
    assert set(cli.model.encoder.vocabulary) <= words
    size = len(cli.model.encoder.vocabulary)
    assert cli.model.encoder.embedder.words.num_embeddings == size + 1
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    assert cli.model.encoder.embedder.words.num_embeddings == size + 1
    assert len(cli.datamodule.train_dataset) == SIZES["train"]  # no text that nobody speaks on


def test_a_student_keeps_no_words(tmp_path: Path) -> None:
    cli = made(tmp_path, "student", "--model.embedder.word_embedding_size", "4")
    assert isinstance(cli.model, Student)
    assert cli.model.encoder.vocabulary == []


@pytest.mark.parametrize(
    ("loss", "sentences"), [("none", 2 * SIZES["train"]), ("topk", 2 * SIZES["train"] + 2)]
)
def test_text_without_tags_goes_to_those_who_learn_from_it(tmp_path: Path, loss: str, sentences: int) -> None:
    cli = made(tmp_path, "student", "--model.objective", "null" if loss == "none" else by_name(loss).__name__)
    cli.datamodule.trainer = cli.trainer
    cli.datamodule.setup("fit")
    assert len(cli.datamodule.train_dataset) == sentences


def test_corpora_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[str] = []

    def count(task: str, *arguments: object, **options: object) -> object:
        times.append(task)
        return load_corpora(task, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("skd_lightning.data.module.load_corpora", count)
    cli = made(tmp_path, "teacher", "--data.languages", "[en]")
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    cli.trainer.test(cli.model, datamodule=cli.datamodule, verbose=False)
    assert times == ["mine"]
