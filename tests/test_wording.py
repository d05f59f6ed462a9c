"""Counts in sentences."""

from ehsod_tf.wording import count


def test_one_and_several():
    assert count(1, "image") == "1 image"
    assert count(0, "image") == "0 images"
    assert count(1200, "image") == "1,200 images"
    assert count(1, "box has", "boxes have") == "1 box has"
    assert count(2, "box has", "boxes have") == "2 boxes have"
