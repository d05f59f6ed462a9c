"""The table of every setting, from the code as gin knows it.

What an argument means is said by the docstring of its class or function; a reader of
configs is a thin layer over the one of the same name in `ehsod_tf.data`, whose
docstring says more.
"""

import inspect
import re
from collections.abc import Callable

import griffe

# What the program gives, so that a config cannot.
_GIVEN = {"findings", "num_classes"}
_OPTIMIZERS = ("CoupledSGD", "ClippedAdamW")
# Arguments of the readers that have these names in all of them.
_OF_READERS = {
    "data_dir": "the folder that the other paths are below, mostly `%DATA_DIR`",
    "published_as": "the name by which `ehsod download` knows the data set",
}
# "height, width: in pixels" in a docstring.
_SHARED = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)


def describe_settings() -> str:
    """A heading and a table in Markdown for each target that a config can bind."""
    return "\n\n".join(
        _describe_target(name, target) for name, target in list_configurables().items()
    )


def list_configurables() -> dict[str, Callable]:
    """What a config may bind, by its name there, parts of a run first."""
    import gin

    from ehsod_tf.cli.startup import import_tensorflow

    import_tensorflow()
    # Registers our names.
    import ehsod_tf.config  # noqa: F401

    names = [
        selector.rpartition(".")[2]
        for selector in gin.config._REGISTRY._selector_map
        if selector.startswith("ehsod_tf.")
    ]
    return {name: inspect.unwrap(gin.get_configurable(name)) for name in names}


def list_settings(name: str, target: Callable) -> list[inspect.Parameter]:
    """The arguments of a target that a config may set."""
    given = _GIVEN | ({"learning_rate"} if name in _OPTIMIZERS else set())
    return [
        parameter
        for parameter in inspect.signature(target).parameters.values()
        if parameter.name not in given and parameter.kind != parameter.VAR_KEYWORD
    ]


def split_entries(docstring: str) -> str:
    """Gives each argument of "height, width: in pixels" an entry of its own."""

    def split(match):
        indent, names, text = match.groups()
        return "\n".join(f"{indent}{name}: {text}" for name in names.split(", "))

    return _SHARED.sub(split, docstring)


def _describe_target(name, target):
    summary = inspect.getdoc(target).split("\n\n")[0]
    meanings = _explain_arguments(name, target)
    rows = [
        f"| `{name}.{setting.name}` | {meanings.get(setting.name, '')} "
        f"| {_format_default(setting)} | {_format_type(setting)} |"
        for setting in list_settings(name, target)
    ]
    table = ["| setting | meaning | default | type |", "|---|---|---|---|", *rows]
    return f"### {name}\n\n{summary}\n\n" + "\n".join(table)


def _explain_arguments(name, target):
    """What the docstrings say of each argument."""
    from ehsod_tf import data

    meanings = {}
    reader = getattr(data, name, None)
    if reader is not None and reader is not target:
        meanings |= _OF_READERS | _read_entries(reader)
    elif name.startswith("read_"):
        meanings |= _OF_READERS
    return meanings | _read_entries(target)


def _read_entries(target):
    text = split_entries(inspect.getdoc(target) or "")
    if inspect.isclass(target) and "__init__" in vars(target):
        text += "\n\n" + split_entries(inspect.getdoc(target.__init__) or "")
    sections = griffe.Docstring(text).parse("google", warnings=False)
    return {
        entry.name: _escape(entry.description)
        for section in sections
        if section.kind.value in ("parameters", "attributes")
        for entry in section.value
    }


def _format_type(setting):
    if setting.annotation is setting.empty:
        return ""
    text = inspect.formatannotation(setting.annotation).replace(" | ", " or ")
    # `Callable[[int], ehsod_tf.modeling.ehsod.Ehsod]` without the places of the names.
    return f"`{_escape(re.sub(r'[a-z_]+(?:[.][a-z_]+)*[.](?=[A-Z])', '', text))}`"


def _format_default(setting):
    if setting.default is setting.empty:
        return "required"
    if callable(setting.default):
        return f"`@{setting.default.__name__}`"
    return f"`{_escape(repr(setting.default))}`"


def _escape(text):
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()
