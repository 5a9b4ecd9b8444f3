import re

import jax
import numpy as np
import pytest

from train.data.source import DataConfig
from train.export.variables import load_initial, save_variables
from train.presets import PRESETS
from train.stages import forward
from train.tools import average

NETWORK = PRESETS["smoke"](DataConfig()).network


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Files of three runs that differ in every array, and what is in them."""
    folder = tmp_path_factory.mktemp("runs")
    trees, rng = [], np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: forward.init_variables(jax.random.key(0), NETWORK))
    for number in range(3):
        trees.append(jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes))
        facts = {"blur_steps": 10 * number, "edges_steps": number, "note": number}
        save_variables(folder / f"{number}.safetensors", trees[-1], facts)
    return folder, trees


def test_every_array_is_the_mean_and_the_last_facts_stay(runs, tmp_path):
    folder, trees = runs
    paths = [str(folder / f"{number}.safetensors") for number in range(3)]
    out = tmp_path / "new" / "mean.safetensors"
    assert average.main(["--preset", "smoke", "--variables", *paths, "--output", str(out)]) == 0
    mean, facts = load_initial(out, NETWORK)
    expected = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *trees)
    assert set(mean) == {"params", "batch_stats"} and set(mean["params"]) == {"f1", "b", "f2", "e"}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), mean, expected)
    assert facts["note"] == 2 and facts["blur_steps"] == 20
    assert facts["blur_mean_of"] == [0, 10, 20] and facts["edges_mean_of"] == [0, 1, 2]


@pytest.mark.parametrize(("blur", "edges"), [([1, 2], [0]), ([1, 2], [0, 2]), ([1], [0, 2])])
def test_e_net_of_other_runs(runs, tmp_path, blur, edges):
    folder, trees = runs
    options = {"--variables": blur, "--edges": edges}
    out = tmp_path / "mean.safetensors"
    arguments = [
        each
        for name, of in options.items()
        for each in (name, *(str(folder / f"{n}.safetensors") for n in of))
    ]
    assert average.main(["--preset", "smoke", *arguments, "--output", str(out)]) == 0
    variables, facts = load_initial(out, NETWORK)
    for kind, found in variables.items():
        for part, tree in found.items():
            own = [trees[number][kind][part] for number in (edges if part in ("f2", "e") else blur)]
            mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *own)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), tree, mean)
    expected = {"note": blur[-1], "blur_steps": 10 * blur[-1], "edges_steps": edges[-1]}
    if len(blur) > 1:
        expected["blur_mean_of"] = [10 * number for number in blur]
    if len(edges) > 1:
        expected["edges_mean_of"] = edges
    assert facts == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0"], "two files or more, or one with --edges, got 1"),
        (["0", "none"], "none.safetensors: no such file"),
        (["0", "half"], "half.safetensors: holds b, f1, but .*0.safetensors b, e, f1, f2"),
        (["0", "other"], r"other.safetensors: params/b/.* must have shape .*\(8, 8\), got \(8, 9\)"),
        (["text", "0"], "text.safetensors: not a file of variables"),
        (["0", "1", "--edges", "half"], "half.safetensors: holds b, f1, but .*0.safetensors b, e, f1, f2"),
    ],
)
def test_files_that_do_not_fit(runs, tmp_path, capsys, names, message):
    folder, trees = runs
    half = {kind: {part: tree[part] for part in ("f1", "b")} for kind, tree in trees[0].items()}
    save_variables(folder / "half.safetensors", half)
    other = jax.tree.map(lambda leaf: leaf, trees[0])
    other["params"]["b"]["classification"]["dense_1"]["kernel"] = np.zeros((8, 9), np.float32)
    save_variables(folder / "other.safetensors", other)
    (folder / "text.safetensors").write_text("text")
    out = tmp_path / "mean.safetensors"
    paths = [name if name == "--edges" else str(folder / f"{name}.safetensors") for name in names]
    assert average.main(["--preset", "smoke", "--variables", *paths, "--output", str(out)]) == 2
    captured = capsys.readouterr().err
    assert re.search(message, captured), captured
    assert captured.count("\n") == 1 and not out.exists()
