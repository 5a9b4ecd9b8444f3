"""The command with an estimator that takes a moment and compiles nothing: for tests that end it from outside.

`python -m tests.jaxblur.fake_command SECONDS ARGUMENTS...`
"""

import sys
import time

import numpy as np

import jaxblur
from jaxblur import cli, verdict
from tests.jaxblur.cli_helpers import fake_estimate

if __name__ == "__main__":

    def slow(image, weights, **options):
        time.sleep(float(sys.argv[1]))
        return fake_estimate(image, weights, **options)

    def fake_measure(prepared, weights, *, view, **options):
        time.sleep(float(sys.argv[1]))
        return verdict.judge(np.full(9, prepared), longer_side=32, view=view), []

    if sys.argv[2] == "rank":
        from jaxblur.rank import measure

        measure.prepare = lambda photo, weights, *, boxes, budget: photo.mean() / 100
        measure.measure = fake_measure
    jaxblur.estimate = slow
    jaxblur.load_weights = lambda path=None: object()
    sys.exit(cli.main(sys.argv[2:]))
