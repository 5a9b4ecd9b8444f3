from pathlib import Path

import cv2
import numpy as np
import pytest

import jaxblur
from eval.methods import MAPS, PROPAGATIONS, READINGS, Prediction, check_prediction, parse_method
from eval.methods.propagations import matting


def _parse(spec):
    return parse_method(spec, weights=None, preset="default")


def test_words_and_units():
    assert [(m.name, m.unit) for m in map(_parse, ("zhuo-sim", "laplacian", "constant=2.5"))] == [
        ("zhuo-sim", "sigma"),
        ("laplacian", "score"),
        ("constant 2.5 px", "radius"),
    ]


@pytest.mark.parametrize(
    "spec", ["nothing", "laplacian=3", "theirs=folder", "theirs=folder:inches", "=x:sigma:"]
)
def test_other_words_are_refused(spec):
    with pytest.raises(ValueError, match="method must be jaxblur"):
        _parse(spec)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            "nothing+guided",
            "reading must be one of jaxblur, zhuo-sim, karaali-jung, park, got 'nothing'",
        ),
        (
            "park+magic",
            "propagation must be one of domain-transform, multiscale, matting, guided, fgs, got 'magic'",
        ),
        ("park+", "propagation must be one of .*, got ''"),
    ],
)
def test_unknown_stages_are_told_with_those_there_are(spec, told):
    with pytest.raises(ValueError, match=told):
        _parse(spec)


def test_a_missing_package_is_told_before_the_first_photo(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(matting.importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"matting: needs the package pymatting: pip install"):
        _parse("zhuo-sim+matting")


def test_any_reading_goes_with_any_propagation(rng):
    photo = cv2.GaussianBlur(rng.integers(0, 256, (40, 50, 3)).astype(np.uint8), (0, 0), 1.0)
    for reading in READINGS:
        for propagation in set(PROPAGATIONS) - {"matting"}:
            method = _parse(f"{reading}+{propagation}")
            (prediction,) = method.predict(["a"], [photo])
            assert isinstance(prediction, Prediction)
            assert method.unit == "radius" and check_prediction(prediction, (40, 50)) == ""


def test_scores_of_the_detection_field_are_words():
    photo = np.full((20, 30, 3), 90, np.uint8)
    for name in MAPS:
        method = _parse(name)
        (prediction,) = method.predict(["a"], [photo])
        assert isinstance(prediction, Prediction)
        assert (method.name, method.unit) == (name, "score") and check_prediction(prediction, (20, 30)) == ""


def test_reading_of_the_networks(tiny_weights, rng):
    photo = cv2.GaussianBlur(rng.integers(0, 256, (40, 50, 3)).astype(np.uint8), (0, 0), 1.0)
    method = parse_method("jaxblur+domain-transform", weights=tiny_weights, preset="default")
    (prediction,) = method.predict(["a"], [photo])
    assert isinstance(prediction, Prediction) and prediction.depth_edges is not None
    assert method.weights and check_prediction(prediction, (40, 50)) == ""
    single = jaxblur.Config(propagation=jaxblur.SingleScale(weighting="confidence"))
    expected = jaxblur.estimate(photo, tiny_weights, config=single)
    np.testing.assert_allclose(prediction.map, expected.radius, atol=1e-3)
    np.testing.assert_array_equal(prediction.depth_edges, expected.depth_edges)


def test_unknown_preset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="preset must be one of default, two-stage, published, got 'best'"):
        _parse(f"jaxblur={tmp_path}:best")


def test_saved_maps_of_another_program(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 5), 2.5, np.float32))
    np.save(tmp_path / "b.npy", np.ones((4, 6), np.float32))
    np.save(tmp_path / "d.npy", np.full((4, 5), -1, np.float32))
    photo = np.zeros((4, 5, 3), np.uint8)
    method = _parse(f"theirs={tmp_path}:sigma")
    a, b, c, d = method.predict(["a", "b", "c", "d"], [photo] * 4)
    assert isinstance(a, Prediction) and (a.map == 2.5).all()
    assert b == "b.npy: has shape (4, 6), but the photo (4, 5)"
    assert c == "c: theirs has no map of that name"
    assert d == "d.npy: holds values that are no sigma"


def test_saved_scores_of_integers_are_scaled(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 5), 51, np.uint8))
    (prediction,) = _parse(f"theirs={tmp_path}:score").predict(["a"], [np.zeros((4, 5, 3), np.uint8)])
    assert isinstance(prediction, Prediction)
    np.testing.assert_allclose(prediction.map, 0.2)
    (unscaled,) = _parse(f"theirs={tmp_path}:radius").predict(["a"], [np.zeros((4, 5, 3), np.uint8)])
    assert isinstance(unscaled, Prediction) and (unscaled.map == 51).all()


def test_a_missing_folder_of_maps_is_told():
    with pytest.raises(ValueError, match="theirs: nowhere is not a folder of maps"):
        _parse(f"theirs={Path('nowhere')}:radius")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "wide"])
def test_a_constant_is_a_radius(text):
    with pytest.raises(ValueError, match="constant must have a radius in px"):
        _parse(f"constant={text}")


def test_a_windows_drive_is_no_preset():
    with pytest.raises(OSError, match=r"nowhere"):
        _parse("jaxblur=C:\\nowhere.safetensors")


def _prediction(**planes):
    return Prediction(**{"map": np.ones((37, 37), np.float32), **planes})


def _with(value, shape=(37, 37)):
    plane = np.full(shape, 0.5, np.float32)
    plane[shape[0] // 2, shape[1] // 2] = value
    return plane


@pytest.mark.parametrize(
    ("planes", "problem"),
    [
        ({"map": _with(np.nan)}, "gave a map with NaN or infinite values"),
        ({"map": _with(np.inf)}, "gave a map with NaN or infinite values"),
        ({"map": _with(-1)}, "gave a map with negative values"),
        ({"confidence": _with(np.nan)}, "gave confidences outside [0, 1]"),
        ({"confidence": _with(1.5)}, "gave confidences outside [0, 1]"),
        (
            {"depth_edges": np.zeros((37, 36), bool)},
            "gave a depth_edges of shape (37, 36) for a photo of (37, 37)",
        ),
        ({"confidence": _with(1), "depth_edges": np.zeros((37, 37), bool)}, ""),
    ],
)
def test_one_bad_value_in_a_prediction_is_told(planes, problem):
    assert check_prediction(_prediction(**planes), (37, 37)) == problem
