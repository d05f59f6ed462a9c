"""The loader of TensorFlow Serving, in C++ and without Python, answers as Python does.

Built from the wheel's own C++ libraries; skipped where there is no compiler.
"""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from import_paths import importing_from

ROOT = pathlib.Path(__file__).parent.parent.parent
with importing_from(ROOT / "benchmarks" / "serving"):
    import bad_requests
    import offline_server


@pytest.fixture(scope="module")
def saved_model(trained):
    return trained[0] / "saved_model"


def list_files(scenes):
    return [path.read_bytes() for path in sorted((scenes / "val").iterdir())]


def test_the_program_knows_nothing_of_python(program):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    assert "libtensorflow_cc.so.2" in linked
    assert "libpython" not in linked


def test_answers_are_those_of_python(program, saved_model, scenes):
    files = list_files(scenes)
    pixels = np.stack([tf.cast(tf.io.decode_image(files[0]), tf.float32)] * 2)
    start, answers, responses = offline_server.ask(
        program,
        saved_model,
        [
            offline_server.make_file_request(*files),
            offline_server.make_file_request(files[0]),
            offline_server.make_request("images", images=pixels),
        ],
    )
    assert start.status == "OK"
    serve = tf.saved_model.load(str(saved_model)).signatures
    wanted = [
        serve["serving_default"](image_bytes=tf.constant(files)),
        serve["serving_default"](image_bytes=tf.constant(files[:1])),
        serve["images"](images=tf.constant(pixels)),
    ]
    for answer, response, outputs in zip(answers, responses, wanted, strict=True):
        assert answer.status == "OK"
        assert set(answer.outputs) == set(response.outputs) == set(outputs)
        assert outputs["num_detections"].numpy().min() > 0
        for name, values in outputs.items():
            for given in (
                answer.outputs[name],
                tf.make_ndarray(response.outputs[name]),
            ):
                np.testing.assert_allclose(given, values, rtol=1e-6, atol=1e-4)
    assert responses[2].model_spec.name == "ehsod"
    assert responses[2].model_spec.signature_name == "images"


def test_a_warmup_that_fails_is_an_error_of_the_start(program, saved_model, tmp_path):
    """Otherwise the server here might not read the warm-up requests at all."""
    broken = tmp_path / "broken"
    shutil.copytree(saved_model, broken)
    path = str(broken / "assets.extra" / "tf_serving_warmup_requests")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\x32\x00")
    with pytest.raises(offline_server.ServerDied, match="without a PredictRequest"):
        offline_server.ask(program, broken, [])


def test_the_example_in_cpp_prints_what_python_finds(
    program, saved_model, scenes, tmp_path
):
    example = tmp_path / "detect"
    offline_server.build(example, ROOT / "examples" / "cpp" / "detect.cc")
    image = sorted((scenes / "val").iterdir())[0]
    serve = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    answer = serve(image_bytes=tf.constant([image.read_bytes()]))
    scores = np.unique(answer["detection_scores"][0])[::-1]
    threshold = float(scores[2] + scores[3]) / 2
    done = subprocess.run(
        [example, saved_model, image, f"{threshold:.9f}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    scores = answer["detection_scores"][0].numpy()
    shown = [f"{score:.3f}" for score in scores if score >= threshold]
    assert 0 < len(shown) < 100
    assert [line.split()[1] for line in done.stdout.splitlines()] == shown


def test_bad_requests_are_errors_and_the_next_is_answered(program, saved_model):
    names, wanted, requests = zip(*bad_requests.list_handmade(), strict=True)
    mutations = [
        offline_server.make_file_request(file)
        for file in bad_requests.make_mutations(64, 0)
    ]
    answers = bad_requests.send(program, saved_model, [*requests, *mutations])
    given = [answer.status for answer in answers]
    assert "INVALID_ARGUMENT" in given[len(names) :] and "OK" in given[len(names) :]
    for name, kind, status in zip(names, wanted, given, strict=False):
        assert (status == "OK") == (kind == "OK"), name
