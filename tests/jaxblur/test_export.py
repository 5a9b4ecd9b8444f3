"""Exported programs give the numbers of the library, in the runtime they are meant for."""

import jax
import numpy as np
import onnxruntime
import pytest

import jaxblur
from jaxblur import export
from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet, apply, level_probabilities
from tests.jaxblur.cli_helpers import run
from tests.jaxblur.tiny import TINY, make_weights, photo_like


def test_the_estimator_gives_the_estimate(rng):
    weights = make_weights(TINY)
    program = jax.export.deserialize(bytearray(export.export_estimator(weights, height=33, width=50)))
    photo = photo_like(rng, 30, 47)
    image = np.zeros(program.in_avals[0].shape, np.uint8)
    image[:30, :47] = photo
    out = program.call(image, np.asarray([30, 47], np.int32))
    wanted = jaxblur.estimate(photo, weights)
    assert wanted.edges.any()
    for name, value in wanted._asdict().items():
        np.testing.assert_allclose(out[name][:30, :47], value, atol=1e-5, err_msg=name)


def test_one_program_for_several_kinds_of_devices(rng):
    weights, platforms = make_weights(TINY), ("cpu", "cuda", "tpu")
    data = export.export_estimator(weights, height=64, width=64, platforms=platforms)
    program, photo = jax.export.deserialize(bytearray(data)), photo_like(rng, 64, 64)
    assert program.platforms == platforms
    out = program.call(photo, np.asarray([64, 64], np.int32))
    np.testing.assert_allclose(out["radius"], jaxblur.estimate(photo, weights).radius, atol=1e-5)


@pytest.mark.parametrize("platforms", [(), ("cpu", "abacus")])
def test_platforms_are_known(platforms):
    with pytest.raises(
        ValueError, match="platforms must be some of cpu, cuda, rocm, tpu, got (none|cpu, abacus)"
    ):
        export.export_estimator(make_weights(TINY), height=64, width=64, platforms=platforms)


@pytest.mark.parametrize("head", ["softmax", "ordinal"])
def test_the_networks_in_onnx(rng, head):
    weights = make_weights(NetworkConfig(width=8, hidden=(6, 5), level_head=head, input_offset=0.5))
    session = onnxruntime.InferenceSession(export.export_networks(weights))
    for count in (1, 5):
        patches = rng.random((count, 41, 41, 3), np.float32)
        blur, depth = session.run(["blur", "depth"], {"patches": patches})
        logits = apply(weights.variables, weights.network, DefocusNet.classify_patches, patches)
        np.testing.assert_allclose(blur, level_probabilities(logits[0], weights.network), atol=1e-5)
        np.testing.assert_allclose(depth, jax.nn.softmax(logits[1]), atol=1e-5)


def test_a_photo_of_no_size_is_refused():
    with pytest.raises(ValueError, match="height and width must be at least 1"):
        export.export_estimator(make_weights(TINY), height=0, width=5)


def test_the_command_writes_a_program(rng, tmp_path, capsys):
    weights = make_weights(TINY)
    jaxblur.save_weights(tmp_path / "tiny.safetensors", weights)
    target = tmp_path / "tiny.stablehlo"
    arguments = ["export", target, "--size", "50", "33", "--weights", tmp_path / "tiny.safetensors"]
    assert run(*arguments) == 0 and capsys.readouterr().out == f"wrote {target}\n"
    program = jax.export.deserialize(bytearray(target.read_bytes()))
    assert [aval.shape for aval in program.in_avals] == [(64, 64, 3), (2,)]
