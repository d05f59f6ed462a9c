"""What a stranger who knows Keras does first: load, predict, draw, build, fit, save."""

import json
import shutil
import struct
import subprocess
import sys
import zlib

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_run import TINY

import ehsod_tf
from ehsod_tf import cli, data, prediction
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.modeling import (
    CamRpn,
    Cascade,
    DetectionDecoder,
    FeaturePyramid,
    ProposalSelector,
    build_small_backbone,
)
from ehsod_tf.prediction import list_images


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture(scope="module")
def moved(trained, tmp_path_factory, scenes):
    """The run folder somewhere else, on a machine that has no data."""
    folder = tmp_path_factory.mktemp("elsewhere") / "copied"
    shutil.copytree(trained[0], folder)
    config = folder / "operative_config.gin"
    text = config.read_text()
    assert str(scenes) in text
    config.write_text(text.replace(str(scenes), "/no/such/folder"))
    return folder


@pytest.fixture(scope="module")
def detector(moved):
    return ehsod_tf.load(moved)


def assert_same(one, other, tolerance=0.0):
    assert one.class_names == other.class_names
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.boxes, other.boxes, rtol=0, atol=1000 * tolerance)


def test_the_package_itself_does_not_import_tensorflow():
    code = "import sys, ehsod_tf; dir(ehsod_tf); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_loaded_run_answers_like_its_own_evaluation(detector, trained, scenes):
    assert detector.class_names[:2] == ("disc", "square")
    found = detector.predict(scenes / "val", score_threshold=0.0)
    assert [len(one.path) > 0 for one in found] == [True] * 5
    wanted = json.loads((trained[0] / "detections.json").read_text())
    content = json.loads((scenes / "annotations/instances_val.json").read_text())
    ids = {image["file_name"]: image["id"] for image in content["images"]}
    for one in found:
        image_id = ids[one.path.rpartition("/")[2]]
        scores = [item["score"] for item in wanted if item["image_id"] == image_id]
        assert len(one) == len(scores) > 0
        np.testing.assert_allclose(one.scores, scores, rtol=0, atol=1e-5)


def test_files_and_arrays_give_the_same(detector, scenes):
    path = scenes / "val/000001.png"
    pixels = np.asarray(Image.open(path).convert("RGB"))
    (of_file,) = detector.predict(path, score_threshold=0.0)
    for images in (pixels, [pixels], pixels[np.newaxis], [path, pixels]):
        assert_same(detector.predict(images, score_threshold=0.0)[-1], of_file, 1e-5)


def test_a_threshold_leaves_out_the_weaker(detector, scenes):
    (everything,) = detector.predict(scenes / "val/000001.png", score_threshold=0.0)
    middle = float(np.median(everything.scores))
    (some,) = detector.predict(scenes / "val/000001.png", score_threshold=middle)
    assert 0 < len(some) < len(everything)
    assert (some.scores >= middle).all()


def test_what_was_found_is_drawn(detector, scenes):
    path = scenes / "val/000001.png"
    picture = detector.draw(path, score_threshold=0.0)
    plain = Image.open(path).convert("RGB")
    assert picture.size == plain.size
    assert np.any(np.asarray(picture) != np.asarray(plain))


def test_a_checkpoint_and_a_saved_model_answer_like_the_run(detector, moved, scenes):
    path = scenes / "val/000002.png"
    (wanted,) = detector.predict(path, score_threshold=0.0)
    for other in ("checkpoints/step-4", "saved_model"):
        (found,) = ehsod_tf.load(moved / other).predict(path, score_threshold=0.0)
        assert_same(found, wanted, 1e-5)


def test_a_saved_model_has_no_other_weights(moved):
    with pytest.raises(ConfigError, match="averaged would do nothing"):
        ehsod_tf.load(moved / "saved_model", averaged=True)


def test_what_is_no_detector_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="neither a run folder, a checkpoint"):
        ehsod_tf.load(tmp_path)


def test_bad_images_are_named(detector, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"bad\.png: cannot be decoded"):
        detector.predict(tmp_path)
    with pytest.raises(DataError, match="nothing.png: no such file"):
        detector.predict(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"got \(5, 5\)"):
        detector.predict([np.zeros([5, 5])])


@pytest.fixture
def odd(scenes, tmp_path):
    """A PNG that TensorFlow decodes and Pillow refuses: its comment is damaged."""
    encoded = (scenes / "val/000001.png").read_bytes()
    body = b"tEXtComment\0hello"
    chunk = struct.pack(">I", len(body) - 4) + body
    chunk += struct.pack(">I", zlib.crc32(body) ^ 1)
    # Behind the signature (8 bytes) and the header (25 bytes).
    path = tmp_path / "odd.png"
    path.write_bytes(encoded[:33] + chunk + encoded[33:])
    return path


def test_an_image_that_cannot_be_drawn_is_named(detector, odd):
    (found,) = detector.predict(odd)
    with pytest.raises(DataError, match=r"odd\.png: cannot be shown"):
        detector.draw(odd, found)


def test_what_cannot_be_drawn_keeps_its_detections(
    moved, odd, scenes, tmp_path, capsys
):
    long = tmp_path / "long.png"
    Image.new("RGB", (65_501, 64)).save(long)
    output = tmp_path / "out"
    plain = scenes / "val/000001.png"
    words = [str(moved), str(odd), str(long), str(plain), f"--output={output}"]
    cli.main(["predict", *words, "--score_threshold=0"])
    printed = capsys.readouterr()
    assert "3 images, " in printed.out
    assert "warning: " in printed.err and "odd.png: cannot be shown" in printed.err
    assert "long.png: has a side of more than 65,500 pixels" in printed.err
    assert "2 of 3 files not drawn" in printed.err
    results = json.loads((output / "detections.json").read_text())
    assert {str(odd), str(plain)} <= {entry["file_name"] for entry in results}
    assert [path.name for path in (output / "pictures").iterdir()] == ["000001.jpg"]
    assert (output / "index.html").read_text().count("<img") == 1


def test_every_image_of_a_folder_is_listed_in_natural_order(tmp_path):
    names = ["1.jpg", "1²2.PNG", "9.webp", "10.gif", "11.jpeg", "12.bmp"]
    for name in (*names, "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert list_images(tmp_path) == [str(tmp_path / name) for name in names]


def test_a_moved_run_is_exported_without_its_data(moved, detector, scenes, tmp_path):
    output, run = tmp_path / "exported", tmp_path / "run"
    shutil.copytree(moved, run)
    config = run / "operative_config.gin"
    text = config.read_text()
    assert "Experiment.png_bits = 16" in text
    config.write_text(
        text.replace("Experiment.png_bits = 16", "Experiment.png_bits = 12")
    )
    cli.main(["export", f"--model_dir={run}", f"--output={output}"])
    # Pictures are drawn of what the detector is given.
    Image.fromarray(np.full([40, 50], 2048, np.uint16)).save(tmp_path / "wide.png")
    for place, grey in ((run, 128), (output, 128), (moved, 8)):
        drawn = ehsod_tf.load(place).draw(tmp_path / "wide.png", score_threshold=1.1)
        assert np.unique(drawn).tolist() == [grey]
    path = scenes / "val/000003.png"
    (found,) = ehsod_tf.load(output).predict(path, score_threshold=0.0)
    (wanted,) = detector.predict(path, score_threshold=0.0)
    assert_same(found, wanted, 1e-5)


def test_predict_writes_results_pictures_and_a_page(moved, scenes, tmp_path, capsys):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (10, 9):
        shutil.copy(scenes / "val/000001.png", frames / f"frame_{number}.png")
    (frames / "broken.jpg").write_bytes(b"no")
    output = tmp_path / "out"
    with pytest.raises(SystemExit) as caught:
        cli.main(
            ["predict", str(moved), str(frames), f"{scenes}/val/00000[23].png"]
            + [f"--output={output}", "--score_threshold=0.02"]
        )
    assert caught.value.code == 1
    printed = capsys.readouterr()
    assert "4 images, " in printed.out and "images/s" in printed.out
    assert "broken.jpg: cannot be decoded" in printed.err
    assert "1 of 5 files unreadable" in printed.err
    results = json.loads((output / "detections.json").read_text())
    names = list(dict.fromkeys(entry["file_name"] for entry in results))
    assert [name.rpartition("/")[2] for name in names] == [
        "frame_9.png", "frame_10.png", "000002.png", "000003.png",
    ]  # fmt: skip
    assert {entry["image_id"] for entry in results} == {1, 2, 3, 4}
    assert all(entry["score"] >= 0.02 for entry in results)
    assert len(list((output / "pictures").glob("*.jpg"))) == 4
    assert (output / "index.html").read_text().count("<img") == 4
    # Earlier predictions may be replaced.
    cli.main(["predict", str(moved), f"{scenes}/val/000002.png", f"--output={output}"])
    assert (output / "index.html").read_text().count("<img") == 1


def test_predictions_that_were_stopped_are_made_again(
    moved, scenes, tmp_path, monkeypatch
):
    output = tmp_path / "out"
    command = ["predict", str(moved), f"{scenes}/val/000002.png", f"--output={output}"]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prediction, "write_predictions", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            cli.main(command)
    assert not (output / "index.html").exists()
    cli.main(command)
    assert (output / "index.html").exists()
    assert [path.name for path in (output / "pictures").iterdir()] == ["000002.jpg"]


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (["owner.json", "detections.json"], "out holds owner.json, so it is a run"),
        (["operative_config.gin"], "out holds operative_config.gin, so it is a run"),
        (["saved_model.pb"], "out holds saved_model.pb, so it is a run or a SavedMo"),
        (["index.html"], "out holds index.html but not all"),
        (["detections.json", "pictures/b.jpg"], "out holds pictures but not all"),
    ],
)
def test_predict_writes_over_nothing_but_predictions(there, message, tmp_path, capsys):
    """It ends before the detector is looked for, which is not there."""
    image, output = tmp_path / "a.jpg", tmp_path / "out"
    (output / "pictures").mkdir(parents=True)
    for path in (image, *(output / name for name in there)):
        path.write_text("precious")
    with pytest.raises(SystemExit) as caught:
        cli.main(["predict", "nowhere", str(image), f"--output={output}"])
    assert caught.value.code == cli.USER_ERROR_STATUS
    assert message in capsys.readouterr().err
    assert {(output / name).read_text() for name in there} == {"precious"}


def test_predict_does_not_draw_over_its_own_images(tmp_path, capsys):
    (tmp_path / "mine/pictures").mkdir(parents=True)
    (tmp_path / "mine/pictures/a.jpg").write_text("precious")
    for name in ("index.html", "detections.json"):
        (tmp_path / "mine" / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for one, other in (("mine", "link"), ("link", "mine")):
        images, output = tmp_path / one / "pictures", tmp_path / other
        with pytest.raises(SystemExit):
            cli.main(["predict", "nowhere", str(images), f"--output={output}"])
        assert f"a.jpg lies in {output}/pictures" in capsys.readouterr().err


def test_the_report_of_a_run_is_made_again(trained, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    before = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    cli.main(["report", str(folder)])
    after = (folder / "report.html").read_text()
    assert after.count("<img") == before.count("<img") > 0
    assert after.count("<svg") == before.count("<svg") > 0


def test_train_returns_the_figures(scenes, tmp_path):
    figures = ehsod_tf.train(
        "quickstart",
        model_dir=tmp_path / "run",
        data_dir=scenes,
        bindings=[*TINY, "EPOCHS = 1", "Experiment.steps_per_epoch = 1"],
    )
    assert 0.0 <= figures["AP"] <= 1.0
    with pytest.raises(ConfigError, match="nonsense: no such config file"):
        ehsod_tf.train("nonsense")


def test_a_detector_is_built_fitted_saved_and_loaded(scenes, tmp_path):
    images = data.read_coco(
        scenes / "annotations/instances_train.json", scenes / "train"
    )
    num_classes = len(images.class_names)
    model = ehsod_tf.build_detector(
        num_classes,
        backbone=build_small_backbone(8),
        fpn=FeaturePyramid(8),
        cam_rpn=CamRpn(num_classes, channels=8),
        cascade=Cascade(num_classes, units=16, num_rois=16),
        selector=ProposalSelector(50, 50, 50, 50),
        decoder=DetectionDecoder(score_threshold=0.0),
    )
    model.compile(optimizer=keras.optimizers.SGD(1e-3))
    batches = data.build_training_dataset(
        images, resizing=data.Resizing(64, 64), batch_size=2, seed=0, epochs=1
    )
    history = model.fit(batches.take(2), verbose=0)
    assert np.isfinite(history.history["total_loss"]).all()
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    batch = next(iter(batches))
    for one, other in zip(model(batch), again(batch), strict=True):
        np.testing.assert_array_equal(one, other)
    assert tf.reduce_sum(model(batch).num_detections) > 0
