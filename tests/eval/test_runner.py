"""The loop with cheap methods: means, failures, parts of hosts, devices and processes, what is written."""

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

import jaxblur
from eval import cli, runner, schema
from eval.datasets import DatasetOptions, load_dataset
from eval.methods import Method, Prediction
from eval.report import summary, tables

ROOT = Path(__file__).resolve().parents[2]
SIZE = (20, 24)


def test_means_and_worst_cases(tmp_path, evaluate):
    (result,) = evaluate(tmp_path, batch=2, pictures=2)
    expected = [abs(0.5 + i - 1) * 16 / 24 for i in range(5)]
    assert [r.metrics["radius_mae"] for r in result.images] == pytest.approx(expected)
    assert result.means["radius_mae"] == pytest.approx(np.mean(expected))
    for _ in range(2):
        kept = sorted(p.stem for p in (tmp_path / "pictures" / result.run.id).iterdir())
        assert kept == ["3", "4"]  # the largest errors
        evaluate(tmp_path, batch=2, pictures=2)  # has nothing left to do


def test_the_method_works_while_results_are_scored(tmp_path, monkeypatch, evaluate, constant):
    """Scoring the first batch waits for the prediction of the second; one after the other, it would wait forever."""
    asked, score = threading.Event(), runner.scoring.score

    def predict(names, images):
        if "1" in names:
            asked.set()
        return constant().predict(names, images)

    def patient(*arguments):
        assert asked.wait(timeout=30)
        return score(*arguments)

    monkeypatch.setattr(runner.scoring, "score", patient)
    (result,) = evaluate(tmp_path, methods=[dataclasses.replace(constant(), predict=predict)], batch=1)
    assert [r.name for r in result.images] == ["0", "1", "2", "3", "4"]


def test_only_a_few_batches_are_read_ahead(tmp_path, monkeypatch, evaluate, make_dataset):
    read, seen = [], []
    dataset = make_dataset(12)
    dataset = dataclasses.replace(dataset, read=lambda i, own=dataset.read: (read.append(i), own(i))[1])
    score = runner.scoring.score

    def slow(*arguments):
        seen.append(len(read) - len(seen))
        threading.Event().wait(0.05)
        return score(*arguments)

    monkeypatch.setattr(runner.scoring, "score", slow)
    evaluate(tmp_path, datasets=[dataset], batch=1)
    # being scored; predicted and put by, next to be put by; the same of those read
    assert len(read) == 12 and max(seen) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_other_settings_or_data_are_another_run(tmp_path, evaluate, make_dataset):
    evaluate(tmp_path)
    newer = dataclasses.replace(make_dataset(), version="2")
    records = schema.read(tmp_path)
    evaluate(tmp_path, datasets=[newer])
    assert len({r.id for r in schema.of_kind(schema.read(tmp_path), schema.Run)}) == 2
    assert len(schema.of_kind(records, schema.Image)) * 2 == len(
        schema.of_kind(schema.read(tmp_path), schema.Image)
    )
    assert [s.run.dataset_version for s in summary.summarise(schema.read(tmp_path))] == [
        "2"
    ]  # the last one counts


def test_broken_pairs_and_failing_predictions_are_listed_not_averaged(
    tmp_path, evaluate, make_dataset, squeezed
):
    def predict(names, images):
        if "3" in names:
            raise RuntimeError("out of memory\nlong story")
        bad = {"2": "2: no map", "4": Prediction(np.ones((3, 3), np.float32))}
        return [bad.get(name, Prediction(np.ones(SIZE, np.float32))) for name in names]

    method = Method(name="poor", unit="radius", predict=predict, settings={})
    (result,) = evaluate(tmp_path, datasets=[make_dataset(bad=(1,))], methods=[method])
    assert [r.name for r in result.images] == ["0"] and result.counts["radius_mae"] == 1
    assert [f.problem for f in result.failures] == [
        "broken",
        "2: no map",
        "3: poor failed: out of memory",
        "4: poor gave a map of shape (3, 3) for a photo of (20, 24)",
    ]
    written = tables.write_report(tmp_path)
    assert "poor on made: broken" in written.failures and "| 1 (4 failed) |" in squeezed(written.table)


def test_parts_of_hosts_add_up_to_the_whole(tmp_path, evaluate):
    (whole,) = evaluate(tmp_path / "one")
    for index in (1, 0):
        (shared,) = evaluate(tmp_path / "two", process_index=index, process_count=2)
    assert [r.metrics for r in shared.images] == [r.metrics for r in whole.images]
    assert shared.means["radius_mae"] == whole.means["radius_mae"]
    lines = {p.name: p.read_text().count('"kind":"image"') for p in (tmp_path / "two").glob("*.jsonl")}
    assert lines == {"results-0-of-2.jsonl": 3, "results-1-of-2.jsonl": 2}  # nothing is done twice


def test_results_carry_what_made_them(tmp_path, evaluate):
    evaluate(tmp_path, command="python -m eval made")
    run, first = (json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()[:2])
    assert run["command"] == "python -m eval made" and run["settings"] == {"radius": 1.0} and run["commit"]
    assert first["device"].startswith("cpu x ") and first["run"] == run["id"]


@pytest.mark.slow
def test_published_weights_reproduce_the_figures_of_an_independent_program(shared, tmp_path, evaluate):
    """Scene 02 of the four, one photo at a time; the command in the help of `python -m eval` does all of them."""
    weights = jaxblur.load_weights(shared / "reference" / "published")
    dataset = load_dataset("pixel4", shared / "scenes", DatasetOptions(reduce=3), prepared=tmp_path)
    index = list(dataset.names).index("scene_02")
    one = dataclasses.replace(dataset, names=["scene_02"], read=lambda _: dataset.read(index))

    def predict(names, images):
        (image,) = images
        return [Prediction(jaxblur.estimate(image, weights, config=jaxblur.PUBLISHED).radius)]

    method = Method(name="published", unit="radius", predict=predict, settings={})
    (result,) = evaluate(tmp_path / "out", datasets=[one], methods=[method])
    assert result.means["sigma_mae"] == pytest.approx(0.857, rel=0.02)
    assert result.means["sigma_ai1"] == pytest.approx(0.592, rel=0.02)
    assert result.means["sigma_spearman"] == pytest.approx(0.852, rel=0.02)


def test_one_or_eight_devices_and_two_processes_give_the_same_averages(
    tmp_path, tiny_weights, squeezed, make_dummy
):
    folder = make_dummy("folder")
    assert jax.local_device_count() == 8  # of this process

    def arguments(name, *methods):
        output = tmp_path / name
        words = [
            "folder",
            "--data",
            folder,
            "--unit",
            "radius",
            "--weights",
            tiny_weights,
            "--methods",
            *methods,
        ]
        words += ["laplacian", "constant=2"]
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
    assert cli.main(arguments("eight", "jaxblur")) == 0
    printed = [process.communicate(timeout=300)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert "| folder (radius) | constant 2 px | 2 |" in squeezed(printed[1]) and printed[2] == ""
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
