"""Reference pages of the API from the code, which is read and not imported."""

import ast
import pathlib
import sys

import griffe

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from settings import split_entries  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
# What a package is for, in the order in which a reader may need it.
PACKAGES = {
    "ehsod_tf": "the front door: load, train, predict",
    "ehsod_tf.prediction": "trained detectors for images without a data set",
    "ehsod_tf.data": "readers, checks, splits, batches",
    "ehsod_tf.modeling": "the network and its losses, as Keras layers",
    "ehsod_tf.training": "loop, optimisers, checkpoints",
    "ehsod_tf.evaluation": "COCO's and VOC's figures",
    "ehsod_tf.visualization": "drawn boxes, charts, pages",
    "ehsod_tf.export": "the SavedModel",
    "ehsod_tf.ops": "RoIAlign and box suppression",
    "ehsod_tf.structures": "the named tuples that all parts exchange",
    "ehsod_tf.errors": "errors that a user can correct",
}


class SplitEntries(griffe.Extension):
    """Makes two entries of "height, width: in pixels", which griffe takes for one."""

    def on_instance(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = split_entries(obj.docstring.value)


def make_package_pages() -> dict[str, str]:
    """The page of every package, by its place on the site."""
    return {
        f"{_locate_page(name)}": "\n\n".join(
            [f"# `{name}`", f"{what[0].upper()}{what[1:]}."]
            + [f"::: {name}.{public}" for public in list_public_names(name)]
        )
        + "\n"
        for name, what in PACKAGES.items()
    }


def list_packages() -> str:
    """The packages in a list of links to their pages."""
    return "\n".join(
        f"- [`{name}`]({_locate_page(name)}): {what}" for name, what in PACKAGES.items()
    )


def list_public_names(module: str) -> list[str]:
    """The names of a module's `__all__`, or without one its own classes and functions.

    A name that is made by an assignment alone, such as a constant, is left out.
    """
    members = _load_package()[module.partition(".")[2]] if "." in module else None
    tree = ast.parse(_find_source(module).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            names = ast.literal_eval(node.value)
            break
    else:
        names = [
            node.name
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
        ]
    return [
        name
        for name in names
        if not name.startswith("_")
        and (members is None or _is_described(members[name]))
    ]


def _follow(item):
    return item.final_target if item.is_alias else item


def _is_described(item):
    try:
        item = _follow(item)
    except griffe.AliasResolutionError:
        # Of an assignment that griffe does not read, such as "A, B = range(2)".
        return False
    return item.is_class or item.is_function


_package = None


def _load_package():
    global _package
    if _package is None:
        loader = griffe.GriffeLoader(search_paths=[ROOT])
        _package = loader.load("ehsod_tf")
        loader.resolve_aliases(implicit=False, external=False)
    return _package


def _find_source(module):
    base = ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _locate_page(name):
    return f"api/{name.rpartition('.')[2]}.md"
