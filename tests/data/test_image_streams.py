import numpy as np
import pytest

from ehsod_tf.data.input.image_streams import draw_by_class, draw_shuffled

IMAGES = np.arange(24)


@pytest.fixture
def shows():
    """Class 0 in 16 images, class 1 in four, class 2 in one; six show nothing."""
    shows = np.zeros([24, 4], bool)
    shows[:16, 0] = True
    shows[[0, 3, 16, 17], 1] = True
    shows[3, 2] = True
    return shows


def test_shuffled_rounds_are_permutations():
    rounds = draw_shuffled(IMAGES, 72, (0,)).reshape(3, 24)
    for turn in rounds:
        np.testing.assert_array_equal(np.sort(turn), IMAGES)
    assert (rounds[0] != rounds[1]).any()


def test_classes_take_turns(shows):
    """In each round one image for each class that occurs, and one that shows nothing.

    Class 3 occurs nowhere, so a round has four turns. Which class an image was drawn
    for cannot be seen, but whether the four can be matched to the four turns can.
    """
    rounds = draw_by_class(IMAGES, 400, (0,), shows).reshape(100, 4)
    for turn in rounds:
        nothing = ~shows[turn].any(axis=1)
        assert nothing.sum() == 1
        assert shows[turn, 2].any()
        assert shows[turn, 1].sum() >= 2
        assert shows[turn, 0].sum() >= 2
    nothing_at = np.argmax(~shows[rounds].any(axis=2), axis=1)
    assert set(nothing_at) == {0, 1, 2, 3}


def test_the_images_of_a_class_are_seen_equally_often():
    """Classes of 18, 3 and 3 images."""
    shows = np.zeros([24, 3], bool)
    shows[:18, 0] = shows[18:21, 1] = shows[21:, 2] = True
    draws = draw_by_class(IMAGES, 3 * 21, (0,), shows)
    for index in range(3):
        counts = np.bincount(draws, minlength=24)[shows[:, index]]
        assert counts.sum() == 21
        assert counts.max() - counts.min() <= 1


def test_only_the_given_images_are_drawn(shows):
    some = np.array([1, 2, 16, 20])
    draws = draw_by_class(some, 60, (0,), shows)
    np.testing.assert_array_equal(np.unique(draws), some)
    # Classes 0 and 1 and nothing: 20 turns each, and the first has two images.
    np.testing.assert_array_equal(np.bincount(draws)[some], [10, 10, 20, 20])


def test_images_that_show_nothing_are_drawn_like_any_others():
    draws = draw_by_class(IMAGES, 48, (0,), np.zeros([24, 4], bool))
    for turn in draws.reshape(2, 24):
        np.testing.assert_array_equal(np.sort(turn), IMAGES)


@pytest.mark.parametrize("length", [0, 1, 2, 7, 100])
def test_a_longer_stream_begins_like_a_shorter_one(shows, length):
    for draw in (draw_shuffled, lambda *a: draw_by_class(*a, shows)):
        short, long = draw(IMAGES, length, (5, 1)), draw(IMAGES, 300, (5, 1))
        assert short.shape == (length,) and short.dtype == np.int64
        np.testing.assert_array_equal(short, long[:length])
        if length > 2:
            assert (short != draw(IMAGES, length, (5, 2))).any()
