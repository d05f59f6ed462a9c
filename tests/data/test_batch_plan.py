import functools

import numpy as np
import pytest

from ehsod_tf.data.input.batch_plan import (
    count_steps_per_epoch,
    fix_strong_fraction,
    make_batch_plan,
    make_evaluation_plan,
    select_host_rows,
)
from ehsod_tf.data.input.image_streams import draw_by_class
from ehsod_tf.errors import ConfigError, DataError

CANVASES = np.array([0] * 17 + [1] * 9 + [4] * 5)


def test_one_canvas_makes_each_epoch_a_permutation():
    plan = make_batch_plan(np.zeros(12, int), batch_size=4, epochs=3, seed=0)
    for epoch in plan.reshape(3, 12):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(12))
    assert (plan[:3] != plan[3:6]).any()


def test_a_batch_has_one_canvas():
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=5, seed=0)
    assert (CANVASES[plan] == CANVASES[plan[:, :1]]).all()


def test_number_of_steps():
    assert count_steps_per_epoch(31, 4) == 7
    assert count_steps_per_epoch(3, 4) == 1
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=5, seed=0)
    assert plan.shape == (35, 4) and plan.dtype == np.int64


def test_images_are_seen_equally_often_but_for_the_queues():
    epochs = 20
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=epochs, seed=1)
    counts = np.bincount(plan.reshape(-1), minlength=len(CANVASES))
    # Seven steps of four leave 3 of the 31 images to the next epoch, so 20 epochs of
    # steps are 18 of images; a queue can hold an image back for one more.
    assert counts.min() >= 17 and counts.max() <= 20


def test_no_image_is_seen_again_before_its_canvas_is_through():
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=9, seed=2)
    for canvas in (0, 1, 4):
        images = np.flatnonzero(CANVASES == canvas)
        seen = plan[CANVASES[plan[:, 0]] == canvas].reshape(-1)
        whole = len(seen) // len(images) * len(images)
        for turn in seen[:whole].reshape(-1, len(images)):
            np.testing.assert_array_equal(np.sort(turn), images)


def test_a_longer_run_begins_like_a_shorter_one():
    short = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    long = make_batch_plan(CANVASES, batch_size=4, epochs=7, seed=0)
    np.testing.assert_array_equal(long[: len(short)], short)


def test_the_seed_decides():
    first = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    same = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    other = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=1)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_fewer_images_than_a_batch():
    plan = make_batch_plan(np.array([0, 1]), batch_size=4, epochs=3, seed=0)
    assert plan.shape == (3, 4)
    assert all(len(set(row)) == 1 for row in plan.tolist())


def test_no_images():
    with pytest.raises(DataError, match="no image"):
        make_batch_plan(np.zeros(0, int), batch_size=4, epochs=3, seed=0)


def test_fixed_fraction_of_strong_images():
    is_strong = np.arange(len(CANVASES)) % 5 == 0
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=20, seed=0)
    mixed = fix_strong_fraction(plan, CANVASES, is_strong, 0.5, seed=0)
    np.testing.assert_array_equal(is_strong[mixed].sum(axis=1), 2)
    np.testing.assert_array_equal(CANVASES[mixed], CANVASES[plan])
    counts = np.bincount(mixed.reshape(-1), minlength=len(CANVASES))
    for canvas in (0, 1, 4):
        for kind in (is_strong, ~is_strong):
            group = counts[(CANVASES == canvas) & kind]
            assert group.min() >= group.max() - 1 and group.min() > 0


def test_a_canvas_of_one_kind_keeps_its_batches():
    is_strong = CANVASES != 1
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=5, seed=0)
    mixed = fix_strong_fraction(plan, CANVASES, is_strong, 0.25, seed=0)
    np.testing.assert_array_equal(mixed, plan)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.9, 1.0])
def test_wrong_fraction(fraction):
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    with pytest.raises(ConfigError, match=f"strong_fraction {fraction}"):
        fix_strong_fraction(plan, CANVASES, CANVASES == 0, fraction, seed=0)


def test_strong_and_weak_images_meet_anew():
    """As many strong as weak images: were both lists shuffled alike, each strong image
    would always have the same weak one beside it."""
    canvases, is_strong = np.zeros(20, int), np.arange(20) < 10
    plan = make_batch_plan(canvases, batch_size=2, epochs=10, seed=0)
    mixed = fix_strong_fraction(plan, canvases, is_strong, 0.5, seed=0)
    assert len({tuple(row) for row in mixed.tolist()}) > 50


@pytest.fixture
def draw():
    """Class 0 is in all images but those of class 1, which are two of each canvas."""
    shows = np.zeros([len(CANVASES), 2], bool)
    shows[[3, 12, 18, 22, 26, 29], 1] = True
    shows[:, 0] = ~shows[:, 1]
    return functools.partial(draw_by_class, shows=shows)


def test_class_aware_batches(draw):
    rare = draw.keywords["shows"][:, 1]
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=20, seed=0, draw=draw)
    assert plan.shape == (140, 4)
    assert (CANVASES[plan] == CANVASES[plan[:, :1]]).all()
    # The queues of the canvases hold back at most three images each.
    assert abs(rare[plan].sum() - 280) <= 9
    plain = make_batch_plan(CANVASES, batch_size=4, epochs=20, seed=0)
    assert rare[plain].sum() < 150
    longer = make_batch_plan(CANVASES, batch_size=4, epochs=31, seed=0, draw=draw)
    np.testing.assert_array_equal(longer[:140], plan)


def test_class_aware_batches_with_a_fixed_fraction(draw):
    """Strong and weak images of every canvas: classes in turns in each of the streams.

    One image of class 1 on each canvas is strong.
    """
    rare = draw.keywords["shows"][:, 1]
    is_strong = np.isin(np.arange(31), [0, 1, 2, 3, 17, 18, 19, 27, 28, 29])
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=40, seed=0, draw=draw)
    mixed = fix_strong_fraction(plan, CANVASES, is_strong, 0.5, seed=0, draw=draw)
    np.testing.assert_array_equal(CANVASES[mixed], CANVASES[plan])
    np.testing.assert_array_equal(is_strong[mixed], [[True, True, False, False]] * 280)
    for canvas in (0, 1, 4):
        batches = mixed[CANVASES[mixed[:, 0]] == canvas]
        for stream in (batches[:, :2], batches[:, 2:]):
            assert rare[stream].sum() == stream.size // 2


def test_hosts_share_the_rows():
    rows = np.arange(12)
    shares = [rows[select_host_rows(12, host, 4)] for host in range(4)]
    np.testing.assert_array_equal(np.concatenate(shares), rows)
    assert all(len(share) == 3 for share in shares)


@pytest.mark.parametrize(
    "batch_size, host, hosts, message",
    [
        (4, 0, 3, "a batch of 4 cannot be shared evenly by 3 hosts"),
        (2, 0, 4, "a batch of 2 cannot"),
        (4, 2, 2, "host_index 2 is not one of 2 hosts"),
        (4, -1, 2, "host_index -1"),
        (4, 0, 0, "host_index 0 is not one of 0 hosts"),
    ],
)
def test_wrong_hosts(batch_size, host, hosts, message):
    with pytest.raises(ConfigError, match=message):
        select_host_rows(batch_size, host, hosts)


def test_evaluation_covers_each_image_once():
    plan = make_evaluation_plan(CANVASES, batch_size=4)
    assert plan.shape == (5 + 3 + 2, 4)
    np.testing.assert_array_equal(np.sort(plan[plan >= 0]), np.arange(31))
    assert (plan[:, 0] >= 0).all()
    for row in plan:
        assert len(set(CANVASES[row[row >= 0]])) == 1
