"""Where the public data sets are, and what they should look like when they are here.

Checksums of VOC: torchvision's ``datasets/voc.py``. COCO publishes none; these are what
PaddleDetection, Catalyst and others hold the archives to. Sizes are what the servers
state.
"""

from typing import NamedTuple

# A file takes up at most one block more than it holds.
_BLOCK = 4096


class Archive(NamedTuple):
    """One file to download.

    Attributes:
        url: where it is; the last part is its name.
        md5: checksum.
        num_bytes: its size, for the check of the disk before anything is fetched.
        unpacked_bytes: what its files take up on a disk, at most.
    """

    url: str
    md5: str
    num_bytes: int
    unpacked_bytes: int

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


class Folder(NamedTuple):
    """A folder of a data set, which appears whole or not at all.

    Attributes:
        path: below the folder of all data, with slashes.
        archives: what it is unpacked from; their members' names begin with `path`.
        contents: paths below this folder, each with the number of files there must be:
            in a folder, or 1 for a file.
    """

    path: str
    archives: tuple[Archive, ...]
    contents: dict[str, int]


_VOC = "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007"
_COCO = "http://images.cocodataset.org"

SOURCES: dict[str, tuple[Folder, ...]] = {
    "voc2007": (
        Folder(
            "VOCdevkit/VOC2007",
            (
                Archive(
                    f"{_VOC}/VOCtrainval_06-Nov-2007.tar",
                    "c52e279531787c972589f7e41ab4ae64",
                    460_032_000,
                    # Images, annotations, masks and lists: below 12,000 files.
                    460_032_000 + 12_000 * _BLOCK,
                ),
                Archive(
                    f"{_VOC}/VOCtest_06-Nov-2007.tar",
                    "b6e924de25625d8de591ea690078ad9f",
                    451_020_800,
                    451_020_800 + 12_000 * _BLOCK,
                ),
            ),
            {
                "Annotations": 9963,
                "JPEGImages": 9963,
                "ImageSets/Main/trainval.txt": 1,
                "ImageSets/Main/test.txt": 1,
            },
        ),
    ),
    # The small ones first: what is wrong with a connection or a disk shows early.
    "coco2017": (
        Folder(
            "annotations",
            (
                Archive(
                    f"{_COCO}/annotations/annotations_trainval2017.zip",
                    "f4bbac642086de4f52a3fdda2de5fa2c",
                    252_907_541,
                    # Six files, of which instances_train2017.json has 469,785,474.
                    835_000_000,
                ),
            ),
            {"instances_train2017.json": 1, "instances_val2017.json": 1},
        ),
        Folder(
            "val2017",
            (
                Archive(
                    f"{_COCO}/zips/val2017.zip",
                    "442b8da7639aecaf257c1dceb8ba8c80",
                    815_585_330,
                    # JPEG files do not become smaller in an archive.
                    815_585_330 + 5000 * _BLOCK,
                ),
            ),
            {".": 5000},
        ),
        Folder(
            "train2017",
            (
                Archive(
                    f"{_COCO}/zips/train2017.zip",
                    "cced6f7f71b7629ddf16f17bbcfab6b2",
                    19_336_861_798,
                    19_336_861_798 + 118_287 * _BLOCK,
                ),
            ),
            {".": 118_287},
        ),
    ),
}
