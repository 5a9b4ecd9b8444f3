"""Seconds from the start of the command to the first tile, one JSON line; run by `bench_estimate` in a fresh process.

    python -m benchmarks.start_up PHOTO SECONDS_SINCE_1970_AT_START

It does what `jaxblur estimate PHOTO` does, in the same order. A flat photo has no edges, so no tile is computed: the
first estimate of a flat copy, less the second, is what tracing and compiling (or reading a kept program) take.
"""

import json
import sys
import time

clock = [float(sys.argv[2])]
parts = {}


def tick(name: str) -> None:
    clock.append(time.time())
    parts[name] = clock[-1] - clock[-2]


tick("interpreter")
from jaxblur import cli  # noqa: E402
from jaxblur.files import images  # noqa: E402 - imports are what is measured
from jaxblur.runtime import compile_cache  # noqa: E402

tick("import of the command")
compile_cache.keep_programs()
import jax  # noqa: E402

tick("import of JAX")
import jaxblur  # noqa: E402

estimate, load_weights = jaxblur.estimate, jaxblur.load_weights
tick("import of the estimator")
jax.devices()
tick("devices")
weights = load_weights()
tick("weights")
image = images.read_image(sys.argv[1])
tick("photo")
estimate(0 * image, weights)
tick("first flat photo")
estimate(0 * image, weights)
tick("second flat photo")
estimate(image, weights)
tick("estimate")
parts["program"] = parts.pop("first flat photo") - parts.pop("second flat photo")
print(json.dumps({"module": cli.__name__, "parts": parts}))
