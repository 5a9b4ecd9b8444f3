import dataclasses

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.network import pointwise
from jaxblur.network.config import ColumnConfig, NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import published_network
from jaxblur.weights import load_weights

SMALL = NetworkConfig(width=8, hidden=(12, 10), input_offset=0.4, input_scale=2.0)
NETWORKS = {
    "paper": SMALL,
    "shifted with biases": dataclasses.replace(
        published_network(), width=8, hidden=(12, 10), normalisation="bias"
    ),
    "ordinal with batch normalisation": dataclasses.replace(
        SMALL, normalisation="batch", level_head="ordinal"
    ),
    "stem of stride 2": dataclasses.replace(
        SMALL,
        stem=("conv4:5", "conv1"),
        step=2,
        patch=42,
        columns=(
            ColumnConfig(size=20, layers=("pool2", "conv3", "conv3:7")),
            ColumnConfig(size=14, layers=("conv3", "pool2"), shift=1),
            ColumnConfig(size=10, layers=("conv3", "conv3")),
        ),
        depth_column=None,
        trunk=("conv3:9", "conv3", "conv2:11"),
    ),
}


STEMS = [name for name, network in NETWORKS.items() if network.stem]


def random_variables(network, seed=0):
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    net = DefocusNet(network)
    variables = jax.jit(lambda key: net.init(key, patch, method=DefocusNet.classify_patches))(
        jax.random.key(seed)
    )
    rng = np.random.default_rng(seed)

    def spread(leaf):
        # Kernels so large that points differ, yet no probability saturates; biases and statistics that matter.
        leaf = np.asarray(leaf)
        changed = 1.4 * leaf if leaf.ndim > 1 else leaf + 0.1 * rng.random(leaf.shape)
        return jnp.asarray(changed, jnp.float32)

    return jax.tree.map(spread, variables)


CASES = [
    *((name, 24, 31 + (name in STEMS)) for name in NETWORKS),
    ("paper", 1, 9),
    ("shifted with biases", 7, 1),
]


@pytest.mark.parametrize("name, height, width", CASES)
def test_dense_form_equals_patchwise_form(name, height, width, rng):
    network = NETWORKS[name]
    variables = random_variables(network)
    padded = jnp.asarray(rng.random((height + 40, width + 40, 3)), jnp.float32)
    edges = jnp.asarray(rng.random((height, width)) < 0.3).at[0, 0].set(True).at[-1, -1].set(True)
    points = pointwise.edge_points(edges, capacity=int(edges.sum()) + 5)
    fast = jax.jit(lambda v, x, p: pointwise.classify_points(v, network, x, p, chunk=16))(
        variables, padded, points
    )
    slow = jax.jit(lambda v, x, p: pointwise.classify_points_patchwise(v, network, x, p))(
        variables, padded, points.points
    )
    taken = np.asarray(points.valid)
    for got, wanted in zip(fast, slow, strict=True):
        np.testing.assert_allclose(np.asarray(got)[taken], np.asarray(wanted)[taken], atol=1e-4)
        assert not np.asarray(got)[~taken].any()


@pytest.mark.parametrize("name", STEMS)
def test_an_image_is_whole_cells(name):
    network = NETWORKS[name]
    with pytest.raises(ValueError, match=r"image must be a multiple of 2 px high and wide, got 24 x 31"):
        pointwise.image_maps({}, network, jnp.zeros((64, 71, 3)))


def test_points_differ(rng):
    """The equality above would also hold for a network that ignores its input."""
    variables = random_variables(SMALL)
    padded = jnp.asarray(rng.random((50, 50, 3)), jnp.float32)
    points = jnp.asarray([[0, 0], [5, 3], [9, 9]], jnp.int32)
    out = jax.jit(lambda v, x, p: pointwise.classify_points_patchwise(v, SMALL, x, p))(
        variables, padded, points
    )
    assert np.ptp(np.asarray(out.blur), axis=0).max() > 1e-2 and out.blur.max() < 0.9
    assert np.ptp(np.asarray(out.depth), axis=0).max() > 1e-2 and out.depth.max() < 0.99


def test_edge_points_are_in_scan_order_and_masked():
    edges = jnp.zeros((4, 5), bool).at[2, 1].set(True).at[0, 3].set(True).at[2, 4].set(True)
    points = pointwise.edge_points(edges, capacity=5)
    np.testing.assert_array_equal(points.points[:3], [[0, 3], [2, 1], [2, 4]])
    np.testing.assert_array_equal(points.valid, [True, True, True, False, False])
    few = pointwise.edge_points(edges, capacity=2)
    np.testing.assert_array_equal(few.points, [[0, 3], [2, 1]])
    assert few.valid.all()


def test_a_batch_is_one_by_one(rng):
    variables = random_variables(SMALL)
    padded = jnp.asarray(rng.random((2, 46, 48, 3)), jnp.float32)
    edges = jnp.asarray(rng.random((2, 6, 8)) < 0.5)

    @jax.jit
    def classify(padded, edges):
        return pointwise.classify_points(
            variables, SMALL, padded, pointwise.edge_points(edges, capacity=20), chunk=8
        )

    batched = jax.vmap(classify)(padded, edges)
    for i, one in enumerate(map(classify, padded, edges)):
        np.testing.assert_allclose(batched.blur[i], one.blur, atol=1e-5)
        np.testing.assert_allclose(batched.depth[i], one.depth, atol=1e-5)


def test_gradient_reaches_the_image(rng):
    variables = random_variables(SMALL)
    padded = jnp.asarray(rng.random((44, 44, 3)), jnp.float32)
    points = pointwise.edge_points(jnp.ones((4, 4), bool), capacity=16)

    @jax.jit
    def expected_level(padded):
        return (
            pointwise.classify_points(variables, SMALL, padded, points, chunk=4).blur @ jnp.arange(23.0)
        ).sum()

    gradient = jax.jit(jax.grad(expected_level))(padded)
    direction = jnp.asarray(rng.normal(size=padded.shape), jnp.float32)
    step = 3e-4  # small, for the sake of the kinks of ReLU and maximum
    difference = (expected_level(padded + step * direction) - expected_level(padded - step * direction)) / (
        2 * step
    )
    np.testing.assert_allclose((gradient * direction).sum(), difference, rtol=0.05)


def test_golden_probabilities_of_the_published_system(shared):
    golden = np.load(shared / "reference" / "golden_01.npz")
    weights = load_weights(shared / "reference" / "published")
    image = cv2.imread(str(shared / "reference" / "image_01.png"))[..., ::-1]
    padded = cv2.copyMakeBorder(image, 20, 20, 20, 20, cv2.BORDER_REFLECT).astype(np.float32) / 255
    chosen = np.arange(0, golden["row"].size, 5)
    points = np.stack([golden["row"], golden["col"]], axis=-1)[chosen].astype(np.int32)
    edge_points = pointwise.EdgePoints(jnp.asarray(points), jnp.ones(len(points), bool))
    classify = jax.jit(lambda v, x, p: pointwise.classify_points(v, weights.network, x, p))
    out = classify(weights.variables, jnp.asarray(padded), edge_points)
    np.testing.assert_allclose(out.blur, golden["blur_probabilities"][chosen], atol=1e-4)
    np.testing.assert_allclose(out.depth, golden["edge_probabilities"][chosen], atol=1e-4)
    np.testing.assert_array_equal(out.blur.argmax(-1), golden["blur_probabilities"][chosen].argmax(-1))
