"""Averages over images, and the curves drawn from them."""

import numpy as np
import pytest

from eval.datasets import DatasetOptions, load_dataset
from eval.methods import parse_method
from eval.report import figures, tables


def test_the_best_threshold_is_that_of_the_mean_curves(tmp_path, evaluate, make_dataset):
    (result,) = evaluate(tmp_path, datasets=[make_dataset(3, unit="mask")])
    precision, recall = (
        np.mean([r.curves[c] for r in result.images[1:]], 0) for c in ("precision", "recall")
    )
    assert np.isnan(result.images[0].curves["recall"]).all()  # nothing is blurred there
    f = 1.3 * precision * recall / np.maximum(0.3 * precision + recall, 1e-9)
    all_precision = np.mean([r.curves["precision"] for r in result.images], 0)
    f = 1.3 * all_precision * recall / np.maximum(0.3 * all_precision + recall, 1e-9)
    assert result.means["f_max"] == pytest.approx(f.max(), abs=1e-4)


def test_precision_is_never_drawn_above_what_a_threshold_reaches(tmp_path, evaluate, make_dataset, constant):
    (result,) = evaluate(tmp_path, datasets=[make_dataset(3, unit="mask")], methods=[constant(1)])
    (chart,) = figures.charts([result])
    share = np.mean([r.curves["precision"][0] for r in result.images])  # a constant detects all or nothing
    np.testing.assert_allclose(chart.curves["constant 1 px"], share, rtol=1e-4)


def test_a_stack_is_ranked_over_its_frames(tmp_path, evaluate, constant, make_dummy):
    dataset = load_dataset("stack", make_dummy("stack"), DatasetOptions())
    methods = [parse_method("laplacian", weights=None, preset="default"), constant()]
    sharp, flat = evaluate(tmp_path / "out", datasets=[dataset], methods=methods, batch=2)
    assert sharp.means["stack_spearman"] == pytest.approx(1, abs=0.05) and flat.means["stack_spearman"] == 0
    table = tables.write_report(tmp_path / "out").table
    assert "Stack rank" in table and "stack (frames)" in table
    assert "in frames" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
