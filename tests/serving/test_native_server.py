"""What a server with our operations linked in is built from, and that it answers."""

import ast
import json
import pathlib
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from import_paths import importing_from

from ehsod_tf import cli
from ehsod_tf.ops import NativeOpsUnavailableError, load_library
from ehsod_tf.ops._library import FOLDER

ROOT = pathlib.Path(__file__).parent.parent.parent
with importing_from(ROOT / "benchmarks" / "serving"):
    import offline_server
NATIVE = ROOT / "examples" / "serving" / "native"
SOURCES = json.loads((ROOT / "ops" / "sources.json").read_text())


def read_build_file():
    """The strings of each cc_library by its name; a BUILD file is valid Python."""
    tree = ast.parse((NATIVE / "BUILD.ehsod").read_text())
    libraries = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "cc_library":
            arguments = {k.arg: k.value for k in node.keywords}
            strings = {
                name: [
                    item.value
                    for item in ast.walk(value)
                    if isinstance(item, ast.Constant)
                ]
                for name, value in arguments.items()
            }
            libraries[strings["name"][0]] = strings
    return libraries


def test_the_build_file_has_every_source_with_its_flags():
    libraries = read_build_file()
    exact = [name for name in SOURCES["exact_kernels"] if name.endswith(".cc")]
    others = {*SOURCES["kernels"], *SOURCES["cpu_kernels"]} - set(exact)
    assert libraries["exact_kernels"]["srcs"] == exact
    assert set(libraries["kernels"]["srcs"]) == others
    assert set(libraries["ehsod_ops"]["srcs"]) == set(SOURCES["ops"])
    assert "-ffp-contract=off" in libraries["exact_kernels"]["copts"]
    flags = re.search(r"FLAGS = (\[.*?\])", (NATIVE / "BUILD.ehsod").read_text(), re.S)
    assert ast.literal_eval(flags[1]) == SOURCES["flags"]
    assert libraries["ehsod_ops"]["deps"][:2] == [":exact_kernels", ":kernels"]


def test_what_the_dockerfile_copies_is_there():
    text = (NATIVE / "Dockerfile").read_text()
    sources = re.findall(r"^COPY (?!--from)(\S+)", text, re.M)
    assert len(sources) == 4
    for source in sources:
        assert (ROOT / source).exists(), source


def test_the_dockerfile_puts_our_library_into_the_servers_list(tmp_path):
    """Its command, on a list as TensorFlow Serving has it."""
    build = tmp_path / "BUILD"
    build.write_text(
        "SUPPORTED_TENSORFLOW_OPS = if_v2([]) + if_not_v2([\n"
        '    "@org_tensorflow//tensorflow/contrib:contrib_kernels",\n'
        "]) + [\n"
        '    "@org_tensorflow_text//tensorflow_text:ops_lib",\n'
        "]\n\n"
        "cc_library(\n    srcs = [\n    ],\n)\n"
    )
    text = (NATIVE / "Dockerfile").read_text()
    command = re.search(r"sed -i '(.*?)'", text, re.S)[1]
    subprocess.run(["sed", "-i", command, build], check=True)
    assert build.read_text().count("custom_ops/ehsod:ehsod_ops") == 1
    before = build.read_text().partition("cc_library")[0]
    assert before.endswith(
        '    "//tensorflow_serving/custom_ops/ehsod:ehsod_ops",\n]\n\n'
    )


def test_a_server_with_our_operations_answers_a_native_export(
    program, trained, scenes, tmp_path
):
    """The dynamic linker puts them in; without, loading the model is an error."""
    try:
        load_library()
    except NativeOpsUnavailableError as error:
        pytest.skip(str(error))
    native = tmp_path / "native"
    cli.export(str(trained[0]), str(native), ops="native")

    files = [path.read_bytes() for path in sorted((scenes / "val").iterdir())]
    requests = [offline_server.make_file_request(*files)]
    with pytest.raises(offline_server.ServerDied, match="Op type not registered"):
        offline_server.ask(program, native, requests)
    (library,) = FOLDER.glob("*.so")
    _, (answer,), _ = offline_server.ask(program, native, requests, preload=library)
    serve = tf.saved_model.load(str(native)).signatures["serving_default"]
    for name, values in serve(image_bytes=tf.constant(files)).items():
        np.testing.assert_allclose(answer.outputs[name], values, rtol=1e-6, atol=1e-4)
