import dataclasses
import json

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.network import config, defocus_net, layers
from jaxblur.network.config import ColumnConfig, NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import published_network
from jaxblur.weights.file import expected_shapes


def test_the_paper_network_has_the_layers_of_the_paper():
    shapes = expected_shapes(NetworkConfig())
    kernels = [shape for name, shape in shapes.items() if name.startswith("params/f1/columns_1")]
    assert kernels == [(3, 3, 3, 64), (3, 3, 64, 64), (3, 3, 64, 64), (1, 1, 64, 64)]
    assert shapes["params/b/trunk/convolutions_0/kernel"] == (3, 3, 192, 64)
    assert shapes["params/e/trunk/convolutions_0/kernel"] == (3, 3, 256, 64)
    assert shapes["params/b/classification/dense_2/kernel"] == (150, 23)
    assert shapes["params/e/classification/dense_2/bias"] == (2,)
    assert not any("convolutions" in name and "bias" in name for name in shapes)
    count = sum(int(np.prod(shape)) for shape in shapes.values())
    assert count == 963_283


def test_levels_are_radii_from_a_half_to_six():
    levels = NetworkConfig().levels
    assert levels[0] == 0.5 and levels[-1] == 6.0 and len(levels) == 23
    np.testing.assert_allclose(np.diff(levels), 0.25)


def test_published_patches_are_cut_one_pixel_off_centre():
    network = published_network()
    assert [network.corner(column) for column in network.columns] == [0, 8, 14]
    assert [NetworkConfig().corner(column) for column in NetworkConfig().columns] == [0, 7, 13]


def test_config_survives_json():
    network = dataclasses.replace(published_network(), width=8, normalisation="bias", level_head="ordinal")
    assert config.config_from_dict(json.loads(json.dumps(config.config_to_dict(network)))) == network


@pytest.mark.parametrize(
    "values, message",
    [
        ({"widht": 3}, "unknown network setting .'widht'."),
        ({"levels": [1.0, 0.5]}, "levels must be at least two increasing radii"),
        ({"normalisation": "group"}, "normalisation must be none, bias or batch"),
        ({"level_head": "linear"}, "level_head must be softmax or ordinal"),
        ({"trunk": ["conv3", "conv3"]}, r"must end in one grid, which trunk reduces to one point, got \[7\]"),
        (
            {"depth_column": {"size": 40, "layers": ["conv3"]}},
            r"must end in one grid, which trunk reduces to one point, got \[7, 38\]",
        ),
        ({"depth_column": {"size": 9, "layers": ["conv0"]}}, "layers must be like conv1, .* got 'conv0'"),
        ({"columns": [{"size": 2, "layers": ["conv3"]}]}, "leave nothing of a patch of 2"),
        ({"step": 2}, "step must be 1, or 2 or 4 with a stem"),
        ({"patch": 41}, "patch and stem go together, got 41"),
        ({"stem": ["pool2"], "patch": 41}, "the stem must be of convolutions"),
        ({"stem": ["conv3"], "patch": 42}, "must lie evenly around the 1 px of its cell, got 42 px"),
        (
            {"columns": [{"size": 15, "layers": ["conv3"] * 4, "shift": 14}]},
            "must keep its 15 px inside the 41",
        ),
        ({"columns": [{"size": 15, "layers": ["conv3"] * 4, "shift": -14}]}, "must keep its 15 px inside"),
    ],
)
def test_bad_architectures_are_refused(values, message, unchecked):
    with pytest.raises(ValueError, match=message):
        config.config_from_dict(values)


def test_a_column_knows_its_stride():
    assert ColumnConfig(size=15, layers=("conv3",) * 4).stride == 1
    assert ColumnConfig(size=27, layers=("conv3",) * 3 + ("pool3",)).stride == 3


def test_ordinal_probabilities_are_differences_of_sigmoids(rng):
    network = NetworkConfig(level_head="ordinal")
    logits = np.sort(rng.normal(size=(4, 22)) * 3)[:, ::-1].astype(np.float32)
    above = 1 / (1 + np.exp(-logits))
    expected = np.diff(np.pad(above, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0))), axis=1) * -1
    np.testing.assert_allclose(
        defocus_net.level_probabilities(jnp.asarray(logits), network), expected, atol=1e-6
    )


@pytest.mark.parametrize("head", ["ordinal", "softmax"])
def test_any_logits_give_probabilities(head, rng):
    network = NetworkConfig(level_head=head)
    logits = jnp.asarray(rng.normal(size=(50, 22 + (head == "softmax"))) * 10, jnp.float32)
    probabilities = defocus_net.level_probabilities(logits, network)
    assert probabilities.shape == (50, 23) and float(probabilities.min()) >= 0
    np.testing.assert_allclose(probabilities.sum(-1), 1.0, atol=1e-5)


def test_batch_statistics_of_masked_entries(rng):
    x = rng.normal(2.0, 3.0, size=(6, 2, 2, 5)).astype(np.float32)
    mask = np.asarray([True, False, True, True, False, True])
    module = layers.Normalise("batch", momentum=0.0)
    variables = module.init(jax.random.key(0), jnp.asarray(x))
    out, updated = module.apply(variables, jnp.asarray(x), True, jnp.asarray(mask), mutable=["batch_stats"])
    kept = x[mask].reshape(-1, 5)
    np.testing.assert_allclose(updated["batch_stats"]["mean"], kept.mean(0), rtol=1e-5)
    np.testing.assert_allclose(updated["batch_stats"]["variance"], kept.var(0), rtol=1e-4)
    normalised = np.asarray(out)[mask].reshape(-1, 5)
    np.testing.assert_allclose(normalised.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0), 1.0, atol=1e-3)


def test_batch_statistics_do_not_depend_on_the_number_of_devices(rng):
    x = rng.normal(size=(8, 3, 3, 4)).astype(np.float32)
    mask = rng.random(8) < 0.6
    mask[0] = True
    single = layers.Normalise("batch")
    variables = single.init(jax.random.key(0), jnp.asarray(x))
    expected, _ = single.apply(variables, jnp.asarray(x), True, jnp.asarray(mask), mutable=["batch_stats"])
    spread = layers.Normalise("batch", "devices")

    def on_device(x, mask):
        return spread.apply(variables, x, True, mask, mutable=["batch_stats"])[0]

    out = jax.pmap(on_device, axis_name="devices")(x.reshape(8, 1, 3, 3, 4), mask.reshape(8, 1))
    np.testing.assert_allclose(np.asarray(out).reshape(8, 3, 3, 4), expected, rtol=1e-4, atol=1e-5)


def test_strict_dtypes_in_double_precision(rng):
    with jax.enable_x64(True):
        network = NetworkConfig(width=8, hidden=(6, 5))
        patches = jnp.asarray(rng.random((2, 41, 41, 3)))
        net = DefocusNet(network)
        single = patches.astype(jnp.float32)
        variables = jax.jit(lambda key: net.init(key, single, method=DefocusNet.classify_patches))(
            jax.random.key(0)
        )
        flat = flax.traverse_util.flatten_dict(variables, sep="/")
        double = flax.traverse_util.unflatten_dict(
            {k: v.astype(jnp.float64) for k, v in flat.items()}, sep="/"
        )
        blur, depth = net.apply(double, patches, method=DefocusNet.classify_patches)
        assert blur.dtype == depth.dtype == jnp.float64
