"""Compiled programs kept between runs of the command: only the first run waits for the compiler."""

import os
import tempfile

import platformdirs


def keep_programs() -> None:
    """Tell JAX, before it is imported, to keep compiled programs in the user's cache folder.

    JAX's own variables come first: JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=false
    switches this off. A folder that cannot be written is left alone.
    """
    # Many programs compile fast, and all together do not.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = platformdirs.user_cache_path("jaxblur") / "programs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
