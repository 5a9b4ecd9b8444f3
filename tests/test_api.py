"""The public names: none goes missing, all are documented, all take arrays first and options by keyword."""

import inspect

import pytest

import jaxblur
from jaxblur import synthesis

NAMES = {
    "DEFAULT",
    "PRESETS",
    "PUBLISHED",
    "TWO_STAGE",
    "BlurEstimate",
    "ColumnConfig",
    "Config",
    "EdgeConfig",
    "GuideConfig",
    "MultiScale",
    "NetworkConfig",
    "PointProbabilities",
    "PropagationConfig",
    "Sharpness",
    "SingleScale",
    "Weights",
    "classify_edges",
    "detect_edges",
    "estimate",
    "estimate_batch",
    "estimate_padded",
    "estimate_stream",
    "fraction_in_focus",
    "in_focus",
    "load_weights",
    "propagate",
    "radius_to_sigma",
    "recursive_filter",
    "save_weights",
    "sharpness",
    "sigma_to_radius",
    "size_bucket",
    "synthesis",
}
SYNTHESIS_NAMES = {
    "Border",
    "DEPTH",
    "IGNORE",
    "PATTERN",
    "add_noise",
    "blur",
    "cat_eye_kernel",
    "composite_layers",
    "convolve",
    "disk_kernel",
    "edge_labels",
    "gaussian_kernel",
    "jpeg",
    "layer_radius",
    "linear_to_srgb",
    "plane_radius",
    "polygon_kernel",
    "quantise",
    "render_scene",
    "sharpen",
    "soft_kernel",
    "soften",
    "srgb_to_linear",
    "valid_part",
}
RANDOM = {"add_noise"}
# Not an option but what the function is about; without it, the weights that ship, or the whole photo.
POSITIONAL_DEFAULTS = {("load_weights", "path"), ("sharpness", "region")} | {
    (name, "weights") for name in ("estimate", "estimate_batch", "estimate_stream")
}

EVERYTHING = {
    name: getattr(module, name)
    for module in (jaxblur, synthesis)
    for name in module.__all__
    if name != "synthesis"
}
FUNCTIONS = {name: value for name, value in EVERYTHING.items() if inspect.isfunction(inspect.unwrap(value))}
CLASSES = {name: value for name, value in EVERYTHING.items() if inspect.isclass(value)}


def test_no_public_name_is_missing_or_new():
    """A name that goes needs a line in CHANGELOG.md, a new one a line here."""
    assert set(jaxblur.__all__) == NAMES
    assert set(synthesis.__all__) == SYNTHESIS_NAMES


def test_each_public_name_is_listed_once():
    assert len(jaxblur.__all__) == len(set(jaxblur.__all__))


def test_dir_lists_the_public_names_and_others_are_refused():
    assert set(dir(jaxblur)) == NAMES
    with pytest.raises(AttributeError, match="No jaxblur attribute estimates"):
        _ = jaxblur.estimates


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_documented(name):
    """More than a word, and not the signature that dataclasses and named tuples get by themselves."""
    value = EVERYTHING[name]
    assert len((inspect.getdoc(value) or "").split()) >= 5
    assert not value.__doc__.startswith(f"{name}(")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_required_arguments_come_first_and_options_by_keyword(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
    positional = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert positional, "takes only keywords"
    defaults = {(name, p.name) for p in positional if p.default is not p.empty}
    assert defaults <= POSITIONAL_DEFAULTS


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_annotated(name):
    signature = inspect.signature(FUNCTIONS[name])
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert signature.return_annotation is not signature.empty


@pytest.mark.parametrize("name", [n for n, c in CLASSES.items() if n.endswith("Config")])
def test_settings_are_frozen_and_by_keyword(name):
    parameters = inspect.signature(CLASSES[name]).parameters.values()
    assert all(p.kind == p.KEYWORD_ONLY for p in parameters)
    assert CLASSES[name].__dataclass_params__.frozen


def test_random_functions_take_the_key_first():
    keyed = {name for name, value in FUNCTIONS.items() if "key" in inspect.signature(value).parameters}
    assert keyed == RANDOM
    assert all(next(iter(inspect.signature(FUNCTIONS[name]).parameters)) == "key" for name in keyed)


def test_presets_are_settings():
    assert jaxblur.PRESETS == {
        "default": jaxblur.DEFAULT,
        "two-stage": jaxblur.TWO_STAGE,
        "published": jaxblur.PUBLISHED,
    }
    assert all(isinstance(preset, jaxblur.Config) for preset in jaxblur.PRESETS.values())
