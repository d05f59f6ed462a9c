"""The one-way order of imports: each part of the package knows only those below it."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FOUNDATION = {"structures", "errors", "files", "wording"}
NETWORK = FOUNDATION | {"ops", "modeling"}

# What each part may import of the package, besides itself.
ALLOWED = {
    "structures": set(),
    "errors": set(),
    "files": set(),
    "wording": set(),
    "ops": FOUNDATION,
    "modeling": NETWORK,
    "data": FOUNDATION,
    "evaluation": FOUNDATION,
    "visualization": FOUNDATION,
    "training": NETWORK,
    # An exported model decodes and resizes images as the data pipeline does.
    "export": NETWORK | {"data"},
    "edge": NETWORK | {"data", "export"},
}
ALLOWED["runs"] = set(ALLOWED)
ALLOWED["config"] = set(ALLOWED)
ALLOWED["prediction"] = set(ALLOWED)
ALLOWED["api"] = set(ALLOWED)
ALLOWED["downloads"] = {"errors"}
ALLOWED["cli"] = set(ALLOWED)
# The front door, which imports when it is used.
ALLOWED["__init__"] = {"api", "modeling", "prediction"}


def _list_imports(path):
    """Names of the modules that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module
            # `from ehsod_tf import ops` imports the module ehsod_tf.ops.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _list_edges():
    """(file, its part, the part that it imports) of the whole package."""
    for path in sorted((ROOT / "ehsod_tf").rglob("*.py")):
        part = path.relative_to(ROOT / "ehsod_tf").with_suffix("").parts[0]
        for module in _list_imports(path):
            names = module.split(".")
            if names[0] == "ehsod_tf" and len(names) > 1 and names[1] != part:
                yield path.relative_to(ROOT).as_posix(), part, names[1]


@pytest.fixture(scope="module")
def edges():
    return list(_list_edges())


def test_imports_go_one_way(edges):
    assert {imported for _, _, imported in edges} <= set(ALLOWED)
    wrong = [edge for edge in edges if edge[2] not in ALLOWED[edge[1]]]
    assert not wrong, "\n".join(f"{path} imports {part}" for path, _, part in wrong)


def test_imports_are_seen_in_every_form(edges):
    """Otherwise the tests here could not fail."""
    seen = {(part, imported) for _, part, imported in edges}
    assert {
        ("modeling", "ops"),  # from ehsod_tf import ops
        ("modeling", "errors"),  # from ehsod_tf.errors import ConfigError
        ("cli", "api"),  # inside a function
    } <= seen


def test_every_part_has_its_place():
    parts = {
        path.relative_to(ROOT / "ehsod_tf").with_suffix("").parts[0]
        for path in (ROOT / "ehsod_tf").rglob("*.py")
    }
    assert parts == set(ALLOWED)


def test_only_config_imports_gin():
    files = {
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "ehsod_tf").rglob("*.py"), *ROOT.glob("*.py")]
        if any(module.split(".")[0] == "gin" for module in _list_imports(path))
    }
    assert {str(pathlib.Path(file).parent) for file in files} == {"ehsod_tf/config"}


def test_nothing_imports_a_root_script():
    scripts = {path.stem for path in ROOT.glob("*.py")}
    assert "train" in scripts
    for path in (ROOT / "ehsod_tf").rglob("*.py"):
        imported = {module.split(".")[0] for module in _list_imports(path)}
        assert not imported & scripts


def test_boxes_and_losses_know_nothing_of_the_network():
    """The pure functions of `modeling` import at most each other."""
    folder = ROOT / "ehsod_tf" / "modeling"
    imported = {
        ".".join(module.split(".")[:3])
        for path in [*(folder / "boxes").glob("*.py"), folder / "losses.py"]
        for module in _list_imports(path)
        if module.startswith("ehsod_tf.modeling.")
    }
    assert imported == {"ehsod_tf.modeling.boxes"}
