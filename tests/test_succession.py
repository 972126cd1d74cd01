"""A finished run stays in its folder until its successor has finished, whatever ends the process in between."""

import itertools
from pathlib import Path

import pytest

from skd_lightning.run_folder import KEY, RunFolder
from skd_lightning.runs import succession
from skd_lightning.runs.succession import give_back, has_finished, make_room, take_place, working_folder
from skd_lightning.storage import LOCK


def fill(folder: RunFolder, key: str, finished: bool) -> None:
    """Write the files of a run; each says whose it is."""
    folder.checkpoints.mkdir(parents=True)
    for file in (folder.best, folder.last, folder.metrics, folder.provenance):
        file.write_text(key)
    folder.config.write_text(f"{KEY}{key}\nseed: 1\n")
    folder.counts.mkdir()
    (folder.counts / "en.npy").write_text(key)
    if finished:
        folder.results.write_text(key)


def whose(folder: RunFolder) -> set[str]:
    """The keys in the files of a run itself."""
    files = [file for path in folder.content() for file in ([path] if path.is_file() else path.rglob("*"))]
    return {file.read_text().removeprefix(KEY).partition("\n")[0] for file in files if file.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "seed1")


def test_a_training_beside_a_finished_run_works_elsewhere(folder: RunFolder) -> None:
    assert working_folder(folder) == folder
    fill(folder, "old", finished=True)
    assert working_folder(folder) == folder.successor
    fill(folder.successor, "new", finished=False)
    take_place(folder)  # not finished: nothing moves
    assert (whose(folder), whose(folder.successor)) == ({"old"}, {"new"})


def test_a_finished_successor_takes_the_place(folder: RunFolder) -> None:
    fill(folder, "old", finished=True)
    fill(folder.previous, "older", finished=True)
    fill(folder.successor, "new", finished=True)
    (folder.path / LOCK).touch()
    take_place(folder)
    assert (whose(folder), whose(folder.previous)) == ({"new"}, {"old"})
    assert not folder.successor.path.exists()
    assert (folder.path / LOCK).exists()


def test_a_stopped_run_makes_room_and_no_finished_one_is_lost(folder: RunFolder) -> None:
    fill(folder, "stopped", finished=False)
    fill(folder.previous, "finished", finished=True)
    make_room(folder)
    assert (whose(folder), whose(folder.stopped), whose(folder.previous)) == (
        set(),
        {"stopped"},
        {"finished"},
    )


def test_a_training_that_made_room_for_nothing_comes_back(folder: RunFolder) -> None:
    fill(folder, "stopped", finished=False)
    assert make_room(folder)
    assert not make_room(folder)
    folder.metrics.write_text("")  # of the one that was refused
    give_back(folder)
    assert whose(folder) == {"stopped"}
    assert not folder.stopped.path.exists()


def test_what_was_trained_anew_and_stopped_goes_on(folder: RunFolder) -> None:
    fill(folder, "same", finished=True)
    assert has_finished(folder, "same")
    assert not has_finished(folder, "other")
    fill(folder.successor, "same", finished=False)
    assert not has_finished(folder, "same")


@pytest.mark.parametrize("older", [True, False])
def test_a_process_that_dies_while_files_move(
    tmp_path: Path, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every single move and removal: the next call ends where one call would have ended."""
    for moment in itertools.count():
        folder = RunFolder(tmp_path / f"{moment}")
        fill(folder, "old", finished=True)
        if older:
            fill(folder.previous, "older", finished=True)
        fill(folder.successor, "new", finished=True)
        calls = itertools.count()
        died = False

        def dying(original):
            def call(*arguments):
                nonlocal died
                if next(calls) == moment:  # noqa: B023 - called within the same round
                    died = True
                    raise KeyboardInterrupt
                return original(*arguments)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(succession.os, "replace", dying(succession.os.replace))
            patch.setattr(succession, "remove", dying(succession.remove))
            try:
                take_place(folder)
            except KeyboardInterrupt:
                everything = whose(folder) | whose(folder.previous) | whose(folder.successor)
                assert {"old", "new"} <= everything
        take_place(folder)
        assert (whose(folder), whose(folder.previous)) == ({"new"}, {"old"})
        assert not folder.successor.path.exists()
        if not died:
            assert moment > 10
            break
