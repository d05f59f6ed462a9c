"""A SavedModel answers whatever comes with finite numbers or an error, in two forms."""

import io
import struct

import numpy as np
import pytest
import small_detector
import tensorflow as tf
from PIL import Image

from ehsod_tf import prediction
from ehsod_tf.data import Resizing
from ehsod_tf.errors import DataError
from ehsod_tf.export import export_saved_model
from ehsod_tf.export.warmup import make_requests
from ehsod_tf.modeling import DetectionDecoder

CLASS_NAMES = tuple("abcdefghij")[: small_detector.NUM_CLASSES]
SETTINGS = {"class_names": CLASS_NAMES, "resizing": Resizing(64, 96)}


@pytest.fixture(scope="module")
def model():
    model = small_detector.build_small_detector()
    # More rows than there can be detections, so that there is padding.
    model.decoder = DetectionDecoder(max_detections=150)
    return model


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "saved_model")
    export_saved_model(model, path, card="# A card", **SETTINGS)
    return path


@pytest.fixture(scope="module")
def serve(plain):
    return tf.saved_model.load(plain).signatures


@pytest.fixture(scope="module")
def detector(plain):
    return prediction.load(plain)


@pytest.fixture(scope="module")
def other_form(model, tmp_path_factory):
    """Normalised boxes, and names with the detections."""
    path = str(tmp_path_factory.mktemp("export") / "saved_model")
    export_saved_model(
        model,
        path,
        normalized_boxes=True,
        names_as_output=True,
        **SETTINGS,
    )
    return path


@pytest.fixture(scope="module")
def other(other_form):
    return tf.saved_model.load(other_form).signatures


def draw_images(count=2, height=64, width=64):
    pixels = np.random.default_rng(0).uniform(0, 255, [count, height, width, 3])
    return pixels.astype(np.float32)


def encode(form="PNG", height=40, width=90, **options):
    pixels = draw_images(1, height, width)[0].astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def ask(serve, *encoded):
    return serve["serving_default"](image_bytes=tf.constant(encoded, tf.string))


def test_sound_pixels_are_answered(serve):
    answer = serve["images"](images=tf.constant(draw_images()))
    assert answer["num_detections"].shape == (2,)
    assert (answer["num_detections"].numpy() > 0).all()
    assert np.isfinite(answer["detection_scores"]).all()


def test_a_session_restores_every_weight(plain, serve):
    """TensorFlow Serving runs a session, which needs more than Python's loader does."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], plain)
        signature = loaded.signature_def["images"]
        answer = session.run(
            {name: info.name for name, info in signature.outputs.items()},
            {signature.inputs["images"].name: draw_images()},
        )
    for name, values in serve["images"](images=tf.constant(draw_images())).items():
        np.testing.assert_allclose(answer[name], values, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixel_that_is_no_number_is_an_error(serve, value):
    images = draw_images()
    images[1, 3, 5, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        serve["images"](images=tf.constant(images))
    assert "images: pixel values must be numbers from 0 to 255" in str(caught.value)


def test_pixels_out_of_range_are_clipped(serve):
    images = draw_images(1)
    images[0, :8], images[0, -8:] = 1e38, -1e38
    answer = serve["images"](images=tf.constant(images))
    clipped = serve["images"](images=tf.constant(np.clip(images, 0, 255)))
    for name, values in answer.items():
        np.testing.assert_array_equal(values, clipped[name])
        assert np.isfinite(values).all()


def test_an_empty_batch_has_an_empty_answer(serve):
    of_pixels = serve["images"](images=tf.zeros([0, 30, 40, 3]))
    for answer in (of_pixels, ask(serve)):
        assert answer["detection_boxes"].shape[::2] == (0, 4)
        assert answer["num_detections"].shape == (0,)


@pytest.mark.parametrize("shape", [[1, 0, 40, 3], [1, 40, 0, 3], [0, 0, 0, 3]])
def test_images_without_pixels_are_an_error(serve, shape):
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve["images"](images=tf.zeros(shape))


def test_a_single_pixel_is_an_image(serve):
    answer = ask(serve, encode(height=1, width=1))
    of_pixels = serve["images"](images=tf.constant(draw_images(1, 1, 1)))
    for boxes in (answer["detection_boxes"], of_pixels["detection_boxes"]):
        assert (0 <= boxes.numpy()).all() and (boxes.numpy() <= 1).all()


def test_a_rotation_in_exif_data_is_not_applied(serve):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    plain, turned = encode("JPEG"), encode("JPEG", exif=exif)
    assert turned != plain
    for name, values in ask(serve, plain).items():
        np.testing.assert_array_equal(values, ask(serve, turned)[name], name)


# ------------------------------------------------- images too large to be decoded


def claim_size(form, height, width, **options):
    """A file of a few bytes that says that it is large."""
    content = bytearray(encode(form, **options))
    if form == "PNG":
        content[16:24] = struct.pack(">II", width, height)
    elif form == "GIF":
        content[6:10] = struct.pack("<HH", width, height)
    elif form == "BMP":
        content[18:26] = struct.pack("<ii", width, height)
    elif content[12:16] == b"VP8 ":
        content[26:30] = struct.pack("<HH", width, height)
    elif content[12:16] == b"VP8L":
        content[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    elif form == "WEBP":
        content[24:30] = struct.pack("<IH", width - 1, (height - 1) >> 8)
        content[27] = (height - 1) % 256
    else:
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


FORMS = ["PNG", "JPEG", "GIF", "BMP", "WEBP"]


@pytest.mark.parametrize("form", FORMS)
def test_a_header_of_too_many_pixels_is_refused(serve, form):
    with pytest.raises(tf.errors.InvalidArgumentError, match="89,478,485 pixels"):
        ask(serve, claim_size(form, 16_000, 16_000))


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"exif": b"Exif", "xmp": b"x"}]
)
def test_every_kind_of_webp_is_measured(serve, options):
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        ask(serve, claim_size("WEBP", 16_000, 16_000, **options))
    assert int(ask(serve, encode("WEBP", **options))["num_detections"][0]) > 0


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no image at all, but some text"])
def test_what_is_no_image_is_an_error(serve, content):
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither JPEG, PNG, BMP"):
        ask(serve, content)


def test_every_size_that_a_header_can_name_is_refused(serve):
    for height, width in ((2**31 - 1, 2**31 - 1), (2**31 - 1, 2), (1, 2**31 - 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
            ask(serve, claim_size("PNG", height, width))
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        ask(serve, claim_size("BMP", -20_000, 20_000))


def test_predict_says_that_an_image_is_too_large(detector, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(claim_size("PNG", 20_000, 20_000))
    with pytest.raises(DataError, match="large.png: an image of more than 89,478,485"):
        detector.predict_one(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_header_of_moderate_size_is_not_refused(serve, form):
    answer = ask(serve, claim_size(form, 40, 90))
    assert int(answer["num_detections"][0]) > 0


# ------------------------------------------------------------ the other form


def test_normalized_boxes_are_shares_of_height_and_width(serve, other):
    encoded = encode()
    answer = ask(serve, encoded)
    shares = ask(other, encoded)
    boxes = answer["detection_boxes"].numpy()
    assert boxes.max() > 2
    assert shares["detection_boxes"].numpy().max() <= 1
    np.testing.assert_allclose(
        shares["detection_boxes"] * [40, 90, 40, 90], boxes, rtol=0, atol=1e-4
    )
    for name in ("detection_scores", "detection_classes", "num_detections"):
        np.testing.assert_array_equal(shares[name], answer[name])


def test_names_are_those_of_the_classes(other):
    pixels = other["images"](images=tf.constant(draw_images()))
    for answer in (ask(other, encode()), pixels):
        classes = answer["detection_classes"][0].numpy()
        names = [name.decode() for name in answer["detection_class_names"][0].numpy()]
        assert names == [CLASS_NAMES[k] if k >= 0 else "" for k in classes]
        assert classes[0] >= 0 and classes[-1] == -1


def test_load_gives_pixels_whatever_the_form(detector, other_form, tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encode())
    both = (detector, prediction.load(other_form))
    for image in (path, np.asarray(Image.open(path))):
        one, same = (k.predict_one(image, score_threshold=0.0) for k in both)
        assert len(one) > 0
        np.testing.assert_allclose(one.boxes, same.boxes, rtol=0, atol=1e-4)


# ------------------------------------------------------ what lies beside the model


def test_the_card_lies_in_the_folder(plain, other_form, tmp_path):
    with open(f"{plain}/model_card.md", encoding="utf-8") as file:
        assert file.read() == "# A card"
    assert not tf.io.gfile.exists(f"{other_form}/model_card.md")


@pytest.mark.parametrize("sides", [(64, 96), (600, 1000), (800, 1333), (128, 128)])
def test_warmup_images_fall_on_all_canvases(sides):
    resizing = Resizing(*sides)
    request, _ = make_requests(resizing)
    sizes = [
        tf.io.decode_png(encoded).shape[:2]
        for encoded in tf.make_ndarray(request.inputs["image_bytes"])
    ]
    chosen = resizing.choose_canvases(tf.constant(sizes)).numpy().tolist()
    assert chosen == list(range(len(resizing.list_canvases())))


def test_warmup_requests_are_answered(plain, serve):
    from tensorflow_serving.apis import prediction_log_pb2

    path = f"{plain}/assets.extra/tf_serving_warmup_requests"
    signatures = []
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        signatures.append(request.model_spec.signature_name)
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        answer = serve[signatures[-1]](**{k: tf.constant(v) for k, v in inputs.items()})
        (value,) = inputs.values()
        assert answer["num_detections"].shape == (len(value),)
    assert signatures == ["serving_default", "images"]
