"""The backends as a fixture: a test that takes `backend` runs on each of them."""

import pytest

from ehsod_tf.ops import NativeOpsUnavailableError, load_library


@pytest.fixture(scope="session")
def library():
    """The module of compiled ops; its tests are skipped where they were not built."""
    try:
        return load_library()
    except NativeOpsUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["stock", "native"])
def backend(request):
    if request.param == "native":
        request.getfixturevalue("library")
    return request.param
