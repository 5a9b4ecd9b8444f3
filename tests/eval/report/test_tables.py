"""The tables and the page made from results."""

import dataclasses

import numpy as np
import pytest

from eval.methods import Method, Prediction, parse_method
from eval.report import tables

SIZE = (20, 24)


def test_several_methods_and_sets_in_one_table(tmp_path, evaluate, make_dataset, constant, squeezed):
    sets = [make_dataset(3), make_dataset(3, unit="mask", name="masks")]
    methods = [constant(1), constant(3), parse_method("laplacian", weights=None, preset="default")]
    results = evaluate(tmp_path, datasets=sets, methods=methods)
    assert [(s.run.dataset, s.run.method) for s in results] == [
        (d.name, m.name) for d in sets for m in methods
    ]
    table = squeezed(tables.write_report(tmp_path).table).splitlines()
    assert len(table) == 2 + 6 and table[0].startswith("| Data set | Method | Images | MAE |")
    assert {"table.md", "summary.csv", "report.html"} <= {p.name for p in tmp_path.iterdir()}
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 12 and "http://" not in page.replace(
        "http://www.w3.org", ""
    )
    for s in results:
        assert s.run.method in page
    with pytest.raises(ValueError, match="methods must have different names"):
        evaluate(tmp_path, methods=[constant(1), constant(1)])


def test_predicted_against_observed_is_printed(tmp_path, evaluate, make_dataset, squeezed):
    """An estimator that is right on the left half only, and says 0.95 there and 0.35 elsewhere."""

    def predict(names, images):
        left = np.arange(SIZE[1]) < SIZE[1] // 2
        truths = [make_dataset().read(int(name)).truth for name in names]
        return [
            Prediction(
                np.where(left, truth, truth + 9).astype(np.float32),
                np.broadcast_to(np.where(left, 0.95, 0.35), SIZE).astype(np.float32),
            )
            for truth in truths
        ]

    sure = Method(name="sure", unit="radius", predict=predict, settings={})
    (result,) = evaluate(tmp_path, datasets=[make_dataset(3)], methods=[sure], batch=3)
    assert result.means["right"] == pytest.approx(0.5)
    assert result.means["calibration_error"] == pytest.approx(0.2)  # 0.05 on one half, 0.35 on the other
    main, reliability = tables.write_report(tmp_path).table.split("\n\n")
    assert "| Right | Calibration |" in squeezed(main)
    row = [cell.strip() for cell in reliability.splitlines()[2].split("|")[1:-1]]
    assert row[:2] == ["made", "sure"] and row[2 + 3] == "0.00" and row[2 + 9] == "1.00"
    assert [cell for cell in row[2:] if cell] == ["0.00", "1.00"]
    assert "Is the confidence right?" in (tmp_path / "report.html").read_text()


def test_times_are_those_of_the_method_and_say_if_they_include_compilation(
    tmp_path, evaluate, constant, squeezed
):
    saved, compiled, plain = (
        dataclasses.replace(constant(), name=name, **flags)
        for name, flags in (("saved", {"timed": False}), ("compiled", {"compiles": True}), ("plain", {}))
    )
    results = evaluate(tmp_path, methods=[saved, compiled, plain], batch=5)
    assert "seconds" not in results[0].means and results[1].cold and not results[2].cold
    table = squeezed(tables.write_report(tmp_path).table).splitlines()
    assert table[2].endswith("| |") and table[3].endswith(") |") and not table[4].endswith(") |")
    warmed = evaluate(tmp_path / "warm", methods=[compiled], batch=5, warm_up=True)
    assert not warmed[0].cold
