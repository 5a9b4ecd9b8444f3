"""The loop end to end on dummies with a cheap method: resuming, failures, shares of hosts, the report."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds

from eval import __main__, runner, schema
from eval.datasets import Dataset, DatasetOptions, Sample, load_dataset
from eval.methods import Method, Prediction, parse_method
from eval.report import figures, summary, tables
from tests.eval import eval_dummies

ROOT = Path(__file__).resolve().parents[2]
SIZE = (20, 24)
tfds.disable_progress_bar()


def _dataset(count=5, unit="radius", name="made", bad=()):
    def read(index):
        rng = np.random.default_rng(index)
        image = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        truth = np.where(np.arange(SIZE[1]) < 8, 1.0, 0.5 + index).astype(np.float32)[None].repeat(SIZE[0], 0)
        if unit == "mask":
            truth = (truth > 1).astype(np.float32)
        return Sample(name=str(index), image=image, truth=truth, problem="broken" if index in bad else "")

    names = [str(i) for i in range(count)]
    return Dataset(name=name, unit=unit, version="1", names=names, read=read, about={"source": "code"})


def _constant(radius=1.0):
    return parse_method(f"constant={radius:g}", weights=None, preset="default")


def _run(output, datasets=None, methods=None, **options):
    runner.evaluate(
        datasets or [_dataset()], methods or [_constant()], output, runner.RunnerOptions(**options)
    )
    return summary.summarise(schema.read(output))


def test_means_and_worst_cases(tmp_path):
    (result,) = _run(tmp_path, batch=2, pictures=2)
    expected = [abs(0.5 + i - 1) * 16 / 24 for i in range(5)]
    assert [r.metrics["radius_mae"] for r in result.images] == pytest.approx(expected)
    assert result.means["radius_mae"] == pytest.approx(np.mean(expected))
    for _ in range(2):
        kept = sorted(p.stem for p in (tmp_path / "pictures" / result.run.id).iterdir())
        assert kept == ["3", "4"]  # the largest errors
        _run(tmp_path, batch=2, pictures=2)  # has nothing left to do


def test_resuming_repeats_nothing_and_changes_nothing(tmp_path):
    whole = _run(tmp_path / "whole")
    calls = []

    def interrupted(names, images):
        calls.extend(names)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return _constant().predict(names, images)

    method = dataclasses.replace(_constant(), predict=interrupted)
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "parts", methods=[method], batch=2)
    assert calls == ["0", "1", "2", "3", "4"]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
    calls.clear()
    method = dataclasses.replace(
        _constant(), predict=lambda n, i: (calls.extend(n), _constant().predict(n, i))[1]
    )
    resumed = _run(tmp_path / "parts", methods=[method], batch=2)
    assert calls == ["4"]
    assert [r.metrics for r in resumed[0].images] == [r.metrics for r in whole[0].images]
    assert resumed[0].means["radius_mae"] == whole[0].means["radius_mae"]


def test_the_method_works_while_results_are_scored(tmp_path, monkeypatch):
    """Scoring the first batch waits for the prediction of the second; one after the other, it would wait forever."""
    asked, score = threading.Event(), runner.scoring.score

    def predict(names, images):
        if "1" in names:
            asked.set()
        return _constant().predict(names, images)

    def patient(*arguments):
        assert asked.wait(timeout=30)
        return score(*arguments)

    monkeypatch.setattr(runner.scoring, "score", patient)
    (result,) = _run(tmp_path, methods=[dataclasses.replace(_constant(), predict=predict)], batch=1)
    assert [r.name for r in result.images] == ["0", "1", "2", "3", "4"]


def test_only_a_few_batches_are_read_ahead(tmp_path, monkeypatch):
    read, seen = [], []
    dataset = _dataset(12)
    dataset = dataclasses.replace(dataset, read=lambda i, own=dataset.read: (read.append(i), own(i))[1])
    score = runner.scoring.score

    def slow(*arguments):
        seen.append(len(read) - len(seen))
        threading.Event().wait(0.05)
        return score(*arguments)

    monkeypatch.setattr(runner.scoring, "score", slow)
    _run(tmp_path, datasets=[dataset], batch=1)
    # being scored; predicted and put by, next to be put by; the same of those read
    assert len(read) == 12 and max(seen) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_other_settings_or_data_are_another_run(tmp_path):
    _run(tmp_path)
    newer = dataclasses.replace(_dataset(), version="2")
    records = schema.read(tmp_path)
    _run(tmp_path, datasets=[newer])
    assert len({r.id for r in schema.of_kind(schema.read(tmp_path), schema.Run)}) == 2
    assert len(schema.of_kind(records, schema.Image)) * 2 == len(
        schema.of_kind(schema.read(tmp_path), schema.Image)
    )
    assert [s.run.dataset_version for s in summary.summarise(schema.read(tmp_path))] == [
        "2"
    ]  # the last one counts


def test_broken_pairs_and_failing_predictions_are_listed_not_averaged(tmp_path):
    def predict(names, images):
        if "3" in names:
            raise RuntimeError("out of memory\nlong story")
        bad = {"2": "2: no map", "4": Prediction(np.ones((3, 3), np.float32))}
        return [bad.get(name, Prediction(np.ones(SIZE, np.float32))) for name in names]

    method = Method(name="poor", unit="radius", predict=predict, settings={})
    (result,) = _run(tmp_path, datasets=[_dataset(bad=(1,))], methods=[method])
    assert [r.name for r in result.images] == ["0"] and result.counts["radius_mae"] == 1
    assert [f.problem for f in result.failures] == [
        "broken",
        "2: no map",
        "3: poor failed: out of memory",
        "4: poor gave a map of the wrong size, or with NaN",
    ]
    written = tables.write_report(tmp_path)
    assert "poor on made: broken" in written.failures and "| 1 (4 failed) |" in eval_dummies.squeezed(
        written.table
    )


def test_several_methods_and_sets_in_one_table(tmp_path):
    sets = [_dataset(3), _dataset(3, unit="mask", name="masks")]
    methods = [_constant(1), _constant(3), parse_method("laplacian", weights=None, preset="default")]
    results = _run(tmp_path, datasets=sets, methods=methods)
    assert [(s.run.dataset, s.run.method) for s in results] == [
        (d.name, m.name) for d in sets for m in methods
    ]
    table = eval_dummies.squeezed(tables.write_report(tmp_path).table).splitlines()
    assert len(table) == 2 + 6 and table[0].startswith("| Data set | Method | Images | MAE |")
    assert {"table.md", "summary.csv", "report.html"} <= {p.name for p in tmp_path.iterdir()}
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 12 and "http://" not in page.replace(
        "http://www.w3.org", ""
    )
    for s in results:
        assert s.run.method in page
    with pytest.raises(ValueError, match="methods must have different names"):
        _run(tmp_path, methods=[_constant(1), _constant(1)])


def test_the_best_threshold_is_that_of_the_mean_curves(tmp_path):
    (result,) = _run(tmp_path, datasets=[_dataset(3, unit="mask")])
    precision, recall = (
        np.mean([r.curves[c] for r in result.images[1:]], 0) for c in ("precision", "recall")
    )
    assert np.isnan(result.images[0].curves["recall"]).all()  # nothing is blurred there
    f = 1.3 * precision * recall / np.maximum(0.3 * precision + recall, 1e-9)
    all_precision = np.mean([r.curves["precision"] for r in result.images], 0)
    f = 1.3 * all_precision * recall / np.maximum(0.3 * all_precision + recall, 1e-9)
    assert result.means["f_max"] == pytest.approx(f.max(), abs=1e-4)


def test_predicted_against_observed_is_printed(tmp_path):
    """An estimator that is right on the left half only, and says 0.95 there and 0.35 elsewhere."""

    def predict(names, images):
        left = np.arange(SIZE[1]) < SIZE[1] // 2
        truths = [_dataset().read(int(name)).truth for name in names]
        return [
            Prediction(
                np.where(left, truth, truth + 9).astype(np.float32),
                np.broadcast_to(np.where(left, 0.95, 0.35), SIZE).astype(np.float32),
            )
            for truth in truths
        ]

    sure = Method(name="sure", unit="radius", predict=predict, settings={})
    (result,) = _run(tmp_path, datasets=[_dataset(3)], methods=[sure], batch=3)
    assert result.means["right"] == pytest.approx(0.5)
    assert result.means["calibration_error"] == pytest.approx(0.2)  # 0.05 on one half, 0.35 on the other
    main, reliability = tables.write_report(tmp_path).table.split("\n\n")
    assert "| Right | Calibration |" in eval_dummies.squeezed(main)
    row = [cell.strip() for cell in reliability.splitlines()[2].split("|")[1:-1]]
    assert row[:2] == ["made", "sure"] and row[2 + 3] == "0.00" and row[2 + 9] == "1.00"
    assert [cell for cell in row[2:] if cell] == ["0.00", "1.00"]
    assert "Is the confidence right?" in (tmp_path / "report.html").read_text()


def test_times_are_those_of_the_method_and_say_if_they_include_compilation(tmp_path):
    saved, compiled, plain = (
        dataclasses.replace(_constant(), name=name, **flags)
        for name, flags in (("saved", {"timed": False}), ("compiled", {"compiles": True}), ("plain", {}))
    )
    results = _run(tmp_path, methods=[saved, compiled, plain], batch=5)
    assert "seconds" not in results[0].means and results[1].cold and not results[2].cold
    table = eval_dummies.squeezed(tables.write_report(tmp_path).table).splitlines()
    assert table[2].endswith("| |") and table[3].endswith(") |") and not table[4].endswith(") |")
    warmed = _run(tmp_path / "warm", methods=[compiled], batch=5, warm_up=True)
    assert not warmed[0].cold


def test_precision_is_never_drawn_above_what_a_threshold_reaches(tmp_path):
    (result,) = _run(tmp_path, datasets=[_dataset(3, unit="mask")], methods=[_constant(1)])
    (chart,) = figures.charts([result])
    share = np.mean([r.curves["precision"][0] for r in result.images])  # a constant detects all or nothing
    np.testing.assert_allclose(chart.curves["constant 1 px"], share, rtol=1e-4)


def test_shares_of_hosts_add_up_to_the_whole(tmp_path):
    (whole,) = _run(tmp_path / "one")
    for index in (1, 0):
        (shared,) = _run(tmp_path / "two", process_index=index, process_count=2)
    assert [r.metrics for r in shared.images] == [r.metrics for r in whole.images]
    assert shared.means["radius_mae"] == whole.means["radius_mae"]
    lines = {p.name: p.read_text().count('"kind": "image"') for p in (tmp_path / "two").glob("*.jsonl")}
    assert lines == {"results-0-of-2.jsonl": 3, "results-1-of-2.jsonl": 2}  # nothing is done twice


def test_one_or_eight_devices_and_two_processes_give_the_same_averages(tmp_path, rng):
    folder = eval_dummies.folder(tmp_path / "data", rng)
    assert jax.local_device_count() == 8  # of this process

    def arguments(name, *methods):
        output = tmp_path / name
        words = [
            "folder",
            "--data",
            folder,
            "--unit",
            "radius",
            "--methods",
            *methods,
            "zhuo-sim",
            "constant=2",
        ]
        return [str(word) for word in (*words, "--output", output, "--prepared", output / "prepared")]

    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    together = ["--distributed", "--coordinator", address, "--num-processes", "2", "--process-id"]
    commands = [arguments("one", "jaxblur"), *([*arguments("two"), *together, str(i)] for i in range(2))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}
    running = [
        subprocess.Popen([sys.executable, "-m", "eval", *command], env=environment, stdout=subprocess.PIPE)
        for command in commands
    ]
    assert __main__.main(arguments("eight", "jaxblur")) == 0
    printed = [process.communicate(timeout=300)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert "| folder (radius) | constant 2 px | 2 |" in eval_dummies.squeezed(printed[1]) and printed[2] == ""
    results = {name: summary.summarise(schema.read(tmp_path / name)) for name in ("one", "eight", "two")}
    devices = {name: {r.device for s in found for r in s.images} for name, found in results.items()}
    assert devices == {"one": {"cpu x 1"}, "eight": {"cpu x 8"}, "two": {"cpu x 1"}}
    assert [len(results[name]) for name in ("one", "eight", "two")] == [3, 3, 2]
    expected = {s.run.method: s for s in results["one"]}
    for found in (*results["eight"], *results["two"]):
        one = expected[found.run.method]
        assert found.counts == one.counts and len(found.images) == 2
        for name in found.means.keys() - {"seconds", "megapixels_per_second"}:
            assert found.means[name] == pytest.approx(one.means[name], rel=1e-5)


def test_results_carry_what_made_them(tmp_path):
    _run(tmp_path, command="python -m eval made")
    run, first = (json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()[:2])
    assert run["command"] == "python -m eval made" and run["settings"] == {"radius": 1.0} and run["commit"]
    assert first["device"].startswith("cpu x ") and first["run"] == run["id"]


def test_published_weights_reproduce_the_figures_of_an_independent_program(shared, tmp_path):
    """Scene 02 of the four; the command in the docstring of `eval.__main__` does all of them."""
    dataset = load_dataset("scenes", shared / "scenes", DatasetOptions(reduce=3), prepared=tmp_path)
    index = list(dataset.names).index("scene_02")
    one = dataclasses.replace(dataset, names=["scene_02"], read=lambda _: dataset.read(index))
    method = parse_method("jaxblur", weights=shared / "reference" / "published", preset="published")
    (result,) = _run(tmp_path / "out", datasets=[one], methods=[method])
    assert result.means["sigma_mae"] == pytest.approx(0.857, rel=0.02)
    assert result.means["sigma_ai1"] == pytest.approx(0.592, rel=0.02)
    assert result.means["sigma_spearman"] == pytest.approx(0.852, rel=0.02)
