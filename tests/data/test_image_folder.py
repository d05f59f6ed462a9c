"""Which file of a folder does a path of another place mean?"""

import pytest

from ehsod_tf.data.readers.image_folder import FileIndex

FILES = ("a.jpg", "x/a.jpg", "x/b.jpg", "y/b.jpg", "z/c d.jpg", "x/y/e.jpg")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("/home/me/x/a.jpg", "x/a.jpg"),
        ("other/a.jpg", "a.jpg"),
        ("C:\\mine\\x\\b.jpg", "x/b.jpg"),
        ("c%20d.jpg", "z/c d.jpg"),
        ("0123abcd-a.jpg", "a.jpg"),
        ("upload/3/0123abcd-a.jpg", "a.jpg"),
        ("e.jpg", "x/y/e.jpg"),
        ("y/e.jpg", "x/y/e.jpg"),
        # There are two of these.
        ("b.jpg", None),
        # In that folder there is none.
        ("k/e.jpg", None),
        ("A.jpg", None),
        ("", None),
        ("/", None),
    ],
)
def test_the_end_of_a_path_tells(reference, found):
    assert FileIndex(FILES).find(reference) == found
