"""Exports for other runtimes answer as the model does; what cannot be is refused."""

import copy
import functools
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import small_detector
import tensorflow as tf
from PIL import Image

from ehsod_tf import edge
from ehsod_tf.data import Resizing
from ehsod_tf.edge import graph, litert
from ehsod_tf.edge.exporting import check_settings
from ehsod_tf.errors import ConfigError, DataError

ROOT = pathlib.Path(__file__).parents[2]
CLASS_NAMES = tuple("abcdefghij")[: small_detector.NUM_CLASSES]
SIDE = 64
# Of a photograph, of one of another shape, and of one that fills little of its canvas.
SIZES = np.int32([[64, 64], [48, 64], [33, 40]])


def load_runtimes():
    sys.path.insert(0, str(ROOT / "benchmarks" / "serving"))
    try:
        import runtimes
    finally:
        sys.path.pop(0)
    return runtimes


@pytest.fixture(scope="module")
def model():
    return small_detector.build_small_detector()


@pytest.fixture(scope="module")
def inputs():
    images = np.zeros([len(SIZES), SIDE, SIDE, 3], np.float32)
    for row, (height, width) in enumerate(SIZES):
        coarse = np.random.default_rng(row).uniform(0, 255, [16, 16, 3])
        fine = coarse.repeat(4, axis=0).repeat(4, axis=1)
        images[row, :height, :width] = fine[:height, :width]
    scales = np.float32([[1, 1], [0.5, 0.5], [2, 1.5]])
    return {"images": images, "image_sizes": SIZES, "scales": scales}


@pytest.fixture(scope="module")
def expected(model, inputs):
    found = model.detect(inputs["images"], inputs["image_sizes"])
    scales = np.tile(inputs["scales"], 2)[:, None]
    return {
        "detection_boxes": found.boxes.numpy() / scales,
        "detection_scores": found.scores.numpy(),
        "detection_classes": found.classes.numpy(),
        "num_detections": found.num_detections.numpy(),
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 255, [70, 96, 3], np.uint8)
        Image.fromarray(pixels).resize((90, 60)).save(folder / f"{seed}.png")
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module", autouse=True)
def convert_once(model):
    """tf2onnx takes its time; all files begin with one conversion."""
    try:
        from ehsod_tf.edge import onnx_file
    except ImportError:
        yield
        return
    convert = onnx_file.convert
    proto = functools.cache(convert)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "convert", lambda *args: copy.deepcopy(proto(*args)))
        yield convert


def export(model, folder, to, precision="float32", calibration=()):
    edge.export_edge(
        model,
        str(folder),
        to=to,
        class_names=CLASS_NAMES,
        resizing=Resizing(SIDE, SIDE),
        precision=precision,
        calibration=calibration,
    )
    return load_runtimes().load(folder)[0]


@pytest.fixture(scope="module", params=["onnx", "openvino", "litert"])
def exported(request, tmp_path_factory, model):
    """(format, folder, function) of the float32 export."""
    try:
        edge.require_packages(request.param)
    except edge.MissingPackageError as error:
        pytest.skip(str(error))
    if request.param == "litert":
        pytest.importorskip("ai_edge_litert")
        pytest.importorskip("ai_edge_quantizer")
    folder = tmp_path_factory.mktemp("edge") / request.param
    return request.param, folder, export(model, folder, request.param)


def test_answers_are_the_models(exported, inputs, expected):
    _, folder, detect = exported
    found = detect(**inputs)
    assert expected["num_detections"].min() > 0
    for name in ("num_detections", "detection_classes"):
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dtype == np.int32
    np.testing.assert_allclose(
        found["detection_boxes"], expected["detection_boxes"], atol=1e-2
    )
    np.testing.assert_allclose(
        found["detection_scores"], expected["detection_scores"], atol=1e-4
    )
    assert (folder / "labels.txt").read_text().split() == list(CLASS_NAMES)


def test_an_image_alone_is_answered_alike(exported, inputs, expected):
    _, _, detect = exported
    found = detect(**{name: value[1:2] for name, value in inputs.items()})
    assert found["num_detections"] == expected["num_detections"][1:2]
    np.testing.assert_allclose(
        found["detection_boxes"], expected["detection_boxes"][1:2], atol=1e-2
    )


def test_openvino_takes_a_batch_of_a_fixed_size(exported, inputs, expected):
    """OpenVINO joins operations in another way where it knows the batch."""
    to, folder, _ = exported
    if to != "openvino":
        pytest.skip("of OpenVINO only")
    import openvino

    core = openvino.Core()
    network = core.read_model(folder / f"detector_{SIDE}x{SIDE}.xml")
    network.reshape({name: value.shape for name, value in inputs.items()})
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    found = core.compile_model(network, "CPU", hints)(inputs)
    for name, atol in (("detection_boxes", 1e-2), ("detection_classes", 0)):
        np.testing.assert_allclose(found[name], expected[name], atol=atol)


def test_onnx_takes_other_canvases(exported, model):
    to, _, detect = exported
    if to != "onnx":
        pytest.skip("the others have the canvases that they were exported with")
    images = np.random.default_rng(9).uniform(0, 255, [1, 128, 160, 3])
    images = images.astype(np.float32)
    sizes = np.int32([[120, 160]])
    found = detect(images=images, image_sizes=sizes, scales=np.ones([1, 2], np.float32))
    expected = model.detect(images, sizes)
    assert found["num_detections"] == expected.num_detections
    np.testing.assert_allclose(found["detection_boxes"], expected.boxes, atol=1e-2)


def test_half_precision_is_half_the_size(tmp_path, model, inputs, expected, exported):
    to, folder, _ = exported
    found = export(model, tmp_path / "half", to, "float16")(**inputs)
    best = found["detection_scores"][:, 0]
    np.testing.assert_allclose(best, expected["detection_scores"][:, 0], atol=0.02)
    sizes = [_weigh(path) for path in (tmp_path / "half", folder)]
    assert sizes[0] < 0.8 * sizes[1]  # The graph itself weighs as much as before.
    if to == "litert":
        check_litert_rounds_weights_alone(tmp_path / "half", np.float16)


def check_litert_rounds_weights_alone(folder, dtype):
    """Not the anchors, nor the areas that part the levels of the pyramid."""
    from ai_edge_litert.interpreter import Interpreter

    tensors = Interpreter(str(folder / "detector.tflite")).get_tensor_details()
    shapes = {tuple(t["shape"]) for t in tensors if t["dtype"] == dtype}
    num_anchors = 3 * sum((SIDE >> level) ** 2 for level in range(2, 7))
    assert {len(shape) for shape in shapes} == {2, 4}
    assert (num_anchors, 4) not in shapes


def check_logits_and_deltas_share_no_scale(folder):
    import onnx

    graph = onnx.load(str(folder / "detector.onnx")).graph
    makers = {name: node for node in graph.node for name in node.output}
    splits = [node for node in graph.node if node.op_type == "Split"]
    heads = [node for node in splits if "stage" in node.name]
    assert len(heads) == 2
    for node in heads:
        while node.op_type not in ("MatMul", "Gemm"):
            node = makers[node.input[0]]
            assert node.op_type != "DequantizeLinear"


def test_int8_answers(tmp_path, model, inputs, exported, photos):
    """What it costs is measured elsewhere; here, that it is quantised and runs."""
    to, _, _ = exported
    calibration = photos if to != "litert" else ()
    found = export(model, tmp_path / "int8", to, "int8", calibration)(**inputs)
    assert np.isfinite(found["detection_boxes"]).all()
    assert found["num_detections"].min() > 0
    traces = {"onnx": b"QuantizeLinear", "openvino": b"FakeQuantize", "litert": b""}
    files = (tmp_path / "int8").glob("detector*.[otx]*")
    assert any(traces[to] in path.read_bytes() for path in files)
    if to == "litert":
        check_litert_rounds_weights_alone(tmp_path / "int8", np.int8)
    if to == "onnx":
        check_logits_and_deltas_share_no_scale(tmp_path / "int8")


def _weigh(folder):
    """Bytes of the file with the weights."""
    return max(p.stat().st_size for p in folder.iterdir() if p.suffix != ".xml")


@pytest.mark.parametrize("size", [(40, 60), (200, 150), (96, 96), (7, 500)])
def test_numpy_puts_on_the_canvas_what_training_saw(size, tmp_path):
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        from canvas import put_on_canvas
    finally:
        sys.path.pop(0)
    pixels = np.random.default_rng(0).integers(0, 255, [*size, 3], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    resizing = Resizing(64, 100)
    settings = {
        "shorter_side": 64,
        "longer_side": 100,
        "canvases": resizing.list_canvases(),
    }
    found = put_on_canvas(pixels, settings)
    expected = resizing.preprocess((tmp_path / "image.png").read_bytes())
    for value, wanted in zip(found.values(), expected, strict=True):
        assert value.dtype == wanted.dtype.as_numpy_dtype
        np.testing.assert_allclose(value[0], wanted, atol=1e-2)


def test_the_example_draws(exported, tmp_path, photos):
    to, folder, _ = exported
    if to != "onnx":
        pytest.skip("the example is for ONNX Runtime")
    drawn = tmp_path / "drawn.png"
    script = ROOT / "examples" / "onnx_runtime.py"
    done = subprocess.run(
        [sys.executable, script, folder, photos[0], drawn],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Image.open(drawn).size == (90, 60)


def test_the_example_refuses_16_bits_a_pixel(exported, tmp_path):
    to, folder, _ = exported
    if to != "onnx":
        pytest.skip("the example is for ONNX Runtime")
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(deep)
    script = ROOT / "examples" / "onnx_runtime.py"
    done = subprocess.run(
        [sys.executable, script, folder, deep, tmp_path / "drawn.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"{deep}: has 16 bits a pixel; convert it to 8\n"


def test_settings_tell_a_client_all(exported):
    to, folder, _ = exported
    assert json.loads((folder / "detector.json").read_text()) == {
        "format": to,
        "precision": "float32",
        "shorter_side": SIDE,
        "longer_side": SIDE,
        "canvases": [[SIDE, SIDE]],
    }


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(edge.MissingPackageError, match=r"'ehsod_tf\[onnx\]'"):
        edge.require_packages("onnx")
    edge.require_packages("litert")
    with pytest.raises(edge.MissingPackageError, match="ai_edge_quantizer"):
        edge.require_packages("litert", "int8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coreml", "float32", []), "--to is one of"),
        (("litert", "bfloat16", []), "--precision is one of"),
        (("onnx", "int8", []), "needs --calibration"),
        (("litert", "int8", ["a.png"]), "leave it out"),
    ],
)
def test_settings_that_do_nothing_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(*arguments)


def test_other_files_are_not_replaced(tmp_path, model):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something else in it"):
        export(model, tmp_path, "litert")
    assert (tmp_path / "notes.txt").exists()


def make_inversion(*_, **__):
    """A function with an operation that no other runtime has."""

    @tf.function(input_signature=[tf.TensorSpec([4, 4], tf.float32)])
    def invert(matrix):
        return {"inverse": tf.linalg.inv(matrix)}

    return invert


def test_onnx_names_the_operation_that_it_lacks(monkeypatch, convert_once):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnx")
    monkeypatch.setattr(graph, "make_function", make_inversion)
    with pytest.raises(ConfigError, match="MatrixInverse"):
        convert_once(None)


def test_litert_names_the_operation_that_it_lacks(monkeypatch, tmp_path):
    monkeypatch.setattr(graph, "make_function", make_inversion)
    with pytest.raises(ConfigError, match="no MatrixInverse, which") as caught:
        litert.write(None, str(tmp_path), ((4, 4),), "float32")
    assert "\n" not in str(caught.value)


def test_an_unreadable_image_of_the_calibration_is_named(exported, model, tmp_path):
    to, _, _ = exported
    if to == "litert":
        pytest.skip("takes no images")
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg: cannot be read"):
        export(model, tmp_path / "int8", to, "int8", [str(tmp_path / "text.jpg")])
    assert not (tmp_path / "int8").exists()
