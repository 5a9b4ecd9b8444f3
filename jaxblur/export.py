"""The estimator and the networks for programs without jaxblur: StableHLO by `jax.export`, ONNX by jax2onnx."""

import logging
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxblur.config import DEFAULT, Config
from jaxblur.estimator import estimate_padded
from jaxblur.image.size import size_bucket
from jaxblur.image.values import to_float
from jaxblur.network.convolution import plain_convolutions
from jaxblur.network.defocus_net import DefocusNet, apply, level_probabilities
from jaxblur.network.weights import Weights

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
"""Kinds of devices that a program can be made for."""


def export_estimator(
    weights: Weights,
    *,
    height: int,
    width: int,
    config: Config = DEFAULT,
    platforms: Sequence[str] | None = None,
) -> bytes:
    """The whole estimate as a serialised StableHLO program.

    `jax.export.deserialize(data).call(image, size)` runs it, with JAX and flatbuffers installed. `image` is (H, W, 3)
    uint8, sRGB-encoded RGB, of the size bucket (`in_avals[0].shape`) with the photo in its top-left corner. `size` is
    the photo's (height, width), int32 (2,). The answer is a dict of the arrays of `BlurEstimate`, valid inside `size`.

    Args:
      weights: see `load_weights`; they become part of the program.
      height: of the photos, px; all photos of its size bucket can be given.
      width: of the photos, px.
      config: settings.
      platforms: kinds of devices that one program is made for, some of `PLATFORMS`; they need not be here. None: the
        kind that JAX runs on here.

    Raises:
      ValueError: a size below 1, or an unknown platform.
    """
    if platforms is not None and (not platforms or not set(platforms) <= set(PLATFORMS)):
        raise ValueError(
            f"platforms must be some of {', '.join(PLATFORMS)}, got {', '.join(platforms) or 'none'}"
        )
    if min(height, width) < 1:
        raise ValueError(f"height and width must be at least 1, got {height}, {width}")
    tiles = size_bucket(height, width)

    def program(image: jax.Array, size: jax.Array) -> dict[str, jax.Array]:
        return estimate_padded(weights, to_float(image), size, None, tiles=tiles, config=config)._asdict()

    image = jax.ShapeDtypeStruct((*tiles.shape, 3), jnp.uint8)
    return bytes(
        jax.export.export(jax.jit(program), platforms=platforms)(
            image, jax.ShapeDtypeStruct((2,), jnp.int32)
        ).serialize()
    )


def export_networks(weights: Weights) -> bytes:
    """Both networks, patch-wise, as an ONNX model (extra `onnx`).

    Input: `patches`, (B, 41, 41, 3) float32 for the paper's architecture, sRGB-encoded RGB in [0, 1], centred at edge
    points. Outputs: `blur`, (B, 23) probabilities of the blur levels, and `depth`, (B, 2) of pattern and depth edge.

    Raises:
      ModuleNotFoundError: jax2onnx is not installed.
    """
    try:
        import jax2onnx
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'ONNX needs jax2onnx, which the extra onnx brings: pip install "jaxblur[onnx]"'
        ) from error
    network = weights.network

    def networks(patches: Float[Array, "b size size 3"]) -> tuple[jax.Array, jax.Array]:
        blur, depth = apply(weights.variables, network, DefocusNet.classify_patches, patches)
        return level_probabilities(blur, network), jax.nn.softmax(depth)

    shape: Any = ("B", network.patch_size, network.patch_size, 3)
    serde = logging.getLogger("onnx_ir.serde")
    level = serde.level
    serde.setLevel(logging.ERROR)  # it warns of every shape that it infers itself
    try:
        with plain_convolutions():
            model: Any = jax2onnx.to_onnx(
                networks,
                inputs=[shape],
                model_name="jaxblur",
                input_names=["patches"],
                output_names=["blur", "depth"],
            )
    finally:
        serde.setLevel(level)
    return model.SerializeToString()
