"""What the command line does for large photos: a limit on memory, and progress within a photo."""

import time
from pathlib import Path

import pytest

import jaxblur
from tests.jaxblur.cli_helpers import fake_estimate, make_photo, run


@pytest.fixture
def photo(tmp_path, rng, monkeypatch) -> Path:
    monkeypatch.setattr(jaxblur, "load_weights", lambda path=None: object(), raising=False)
    return make_photo(tmp_path / "photo.png", rng)


def test_progress_of_a_large_photo_moves_the_bar(tmp_path, photo, capfd, monkeypatch):
    def slow(image, weights, *, progress, **options):
        progress(0.25)
        time.sleep(0.3)  # rich draws ten times a second
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", slow, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert run("estimate", photo, "--output", tmp_path / "out") == 0
    assert " 25%" in capfd.readouterr().err


def test_max_memory(tmp_path, photo, monkeypatch, capfd):
    used = []

    def recording(image, weights, *, max_memory, **options):
        used.append(max_memory)
        if max_memory == 5:
            raise ValueError("max_memory must be at least 1 GB for a photo of 48x40 px, got 1 MB")
        return fake_estimate(image, weights, **options)

    monkeypatch.setattr(jaxblur, "estimate", recording, raising=False)
    out = tmp_path / "out"
    assert run("estimate", photo, "--output", out) == 0
    assert run("estimate", photo, "--output", out, "--max-memory", "1.5GB") == 0
    assert run("estimate", photo, "--output", out, "--max-memory", "5B") == 2
    assert run("estimate", photo, "--output", tmp_path / "no", "--max-memory", "much") == 2
    assert used == [None, 1_500_000_000, 5]
    assert capfd.readouterr().err.splitlines() == [
        f"jaxblur: {photo}: max_memory must be at least 1 GB for a photo of 48x40 px, got 1 MB",
        "jaxblur: max_memory must be a number with a unit, such as 4GB or 800MB, got 'much'",
    ]
    assert not (tmp_path / "no").exists()
