"""setuptools' build backend, asking for TensorFlow only where there is none.

pip builds in an isolated environment. Naming TensorFlow in `build-system.requires`
would install a second one there each time; the ops can be built against the one that
is already beside the Python that runs the build.
"""

import build
from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the hooks of PEP 517 and PEP 660)


def _with_tensorflow(requirements):
    try:
        build.find_compiler()
    except build.BuildError:
        return requirements
    try:
        build.find_tensorflow()
    except build.BuildError:
        return [*requirements, f"tensorflow=={build.TENSORFLOW_SERIES}*"]
    return requirements


def get_requires_for_build_wheel(config_settings=None):
    return _with_tensorflow(build_meta.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings=None):
    return _with_tensorflow(build_meta.get_requires_for_build_editable(config_settings))
