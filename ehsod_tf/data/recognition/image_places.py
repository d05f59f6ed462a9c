"""Where in a folder the images are that an annotation names."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ehsod_tf.data.recognition.listing import parent
from ehsod_tf.data.recognition.source import choose_folder

# Names that tell nothing of the image, such as "0001.jpg", are in many folders.
_NUM_COMPARED = 10


class ImageIndex:
    """The images of a folder, by name.

    Args:
        root: the folder.
        images: their paths below it.
    """

    def __init__(self, root: str, images: Sequence[str]):
        self.root = root
        self.images = images
        self._folders_of_name: dict[str, list[str]] = defaultdict(list)
        self._names_in_folder: dict[str, list[str]] = defaultdict(list)
        for path in images:
            folder = parent(path)
            self._folders_of_name[path[len(folder) :]].append(folder)
            self._names_in_folder[folder].append(path[len(folder) :])
        # All images have one of these; kept for the files beside them.
        self.stems = {os.path.splitext(name)[0] for name in self._folders_of_name}

    @property
    def folders(self) -> list[str]:
        """The folders that hold images themselves, each "" or with "/" at its end."""
        return sorted(self._names_in_folder)

    def list_names(self, folder: str) -> list[str]:
        """The names of the images that lie in a folder itself."""
        return self._names_in_folder.get(folder, [])

    def count_below(self, folder: str) -> int:
        """How many images a folder holds at any depth."""
        return sum(
            len(names)
            for place, names in self._names_in_folder.items()
            if place.startswith(folder)
        )

    def find_folders(self, names: Iterable[str]) -> tuple[str, ...]:
        """The folders to which image names are relative, as far as one can see.

        Args:
            names: some names that an annotation gives, with "/" between folders.

        Returns:
            All folders that hold most of the images; () if none holds any.
        """
        counts: Counter[str] = Counter()
        for name in names:
            folders, base = parent(name), name[len(parent(name)) :]
            for place in self._folders_of_name.get(base, []):
                if f"/{place}".endswith(f"/{folders}"):
                    counts[place[: len(place) - len(folders)]] += 1
        most = max(counts.values(), default=0)
        return tuple(sorted(place for place in counts if counts[place] == most))

    def share_images(self, first: str, second: str) -> bool:
        """Whether two folders seem to hold the same images.

        They do if one lies in the other, or if files of the same names have, as far as
        a few of them tell, the same bytes.
        """
        if first.startswith(second) or second.startswith(first):
            return True
        shared = sorted(self._list_below(first).keys() & self._list_below(second))
        looked_at = shared[:: max(1, len(shared) // _NUM_COMPARED)]
        same = [self._are_equal(name, first, second) for name in looked_at]
        return sum(same) > len(same) / 2

    def _list_below(self, folder: str) -> dict[str, str]:
        return {
            name: place
            for place, names in self._names_in_folder.items()
            if place.startswith(folder)
            for name in names
        }

    def _are_equal(self, name: str, first: str, second: str) -> bool:
        contents = []
        for folder in (first, second):
            place = self._list_below(folder)[name]
            with open(os.path.join(self.root, place, name), "rb") as file:
                contents.append(file.read(1 << 16))
        return contents[0] == contents[1]


def find_image_dirs(
    index: ImageIndex, names: Sequence[str], annotation: str, role: str
) -> tuple[str, ...]:
    """The folders that an annotation's images may be in.

    Args:
        index: the images.
        names: some that the annotation gives; if they are paths of another machine, the
            last parts alone tell.
        annotation: path of the annotation.
        role: of the annotation.
    """
    bases = [name.replace("\\", "/").rpartition("/")[2] for name in names]
    folders = index.find_folders(names) or index.find_folders(bases)
    return choose_folder(folders, annotation, role)
