"""The command with an estimator that takes a moment and compiles nothing: for tests that end it from outside.

`python -m tests.jaxblur.fake_command SECONDS ARGUMENTS...`
"""

import sys
import time

import jaxblur
from jaxblur import cli
from tests.jaxblur.cli_helpers import fake_estimate

if __name__ == "__main__":

    def slow(image, weights, **options):
        time.sleep(float(sys.argv[1]))
        return fake_estimate(image, weights, **options)

    jaxblur.estimate = slow
    jaxblur.load_weights = lambda path=None: object()
    sys.exit(cli.main(sys.argv[2:]))
