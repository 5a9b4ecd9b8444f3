"""`python -m jaxblur`, the same as the `jaxblur` command."""

import sys

from jaxblur.cli import main

sys.exit(main())
