import numpy as np

from ehsod_tf.data import select_images


def test_select_images(make_image_set):
    objects = [(2, (0.0, 0.0, 1.0, 1.0), 1), (0, (0.0, 0.0, 2.0, 2.0), 0)]
    objects += [(2, (0.0, 0.0, 3.0, 3.0), 2), (1, (0.0, 0.0, 4.0, 4.0), 0)]
    image_set = make_image_set([(8, 9), (10, 11), (12, 13)], objects, ignored={2})
    found = select_images(image_set, np.array([False, True, True]))
    assert found.image_names == ["1.png", "2.png"]
    assert found.paths == image_set.paths[1:]
    np.testing.assert_array_equal(found.image_ids, [101, 102])
    np.testing.assert_array_equal(found.sizes, [[10, 11], [12, 13]])
    np.testing.assert_array_equal(found.row_splits, [0, 1, 3])
    np.testing.assert_array_equal(found.boxes[:, 2], [4, 1, 3])
    np.testing.assert_array_equal(found.classes, [0, 1, 2])
    np.testing.assert_array_equal(found.ignored, [False, False, True])
    np.testing.assert_array_equal(found.image_labels, [[1, 0, 0], [0, 1, -1]])
    assert len(found.areas) == 3 and found.has_boxes.all()
