"""Draws the packages of `ehsod_tf` and their imports, with lines of code, as Mermaid.

    python benchmarks/house/draw_packages.py --before c3be2a8 --output docs/packages.md

An arrow goes from a package to one that it imports; what it also imports by way of
another one is left out. Lines are those of the Python files, with docstrings and
comments.
"""

import argparse
import ast
import collections
import io
import pathlib
import subprocess
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", help="a commit to set beside the working tree")
    parser.add_argument("--output", required=True, help="the Markdown file to write")
    arguments = parser.parse_args()
    parts = ["# Packages and their imports", f"Made by `{_command(arguments)}`."]
    if arguments.before:
        with tempfile.TemporaryDirectory() as folder:
            _check_out(arguments.before, folder)
            before = measure(pathlib.Path(folder))
        parts += [f"## At commit {arguments.before}", describe(*before)]
    parts += ["## Now", describe(*measure(ROOT))]
    pathlib.Path(arguments.output).write_text("\n\n".join(parts) + "\n", "utf-8")


def measure(root: pathlib.Path) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Returns the lines of every package, and the packages that each imports."""
    lines, imports = collections.Counter(), collections.defaultdict(set)
    for path in sorted((root / "ehsod_tf").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        package = path.relative_to(root / "ehsod_tf").with_suffix("").parts[0]
        if package == "__init__":
            continue
        lines[package] += text.count("\n")
        for module in _list_imports(text):
            names = module.split(".")
            if names[0] == "ehsod_tf" and len(names) > 1 and names[1] != package:
                imports[package].add(names[1])
    known = set(lines)
    return dict(lines), {name: imports[name] & known for name in lines}


def describe(lines: dict[str, int], imports: dict[str, set[str]]) -> str:
    """A diagram and a table in Markdown."""
    direct = _leave_out_detours(imports)
    arrows = [f"    {a} --> {b}" for a in sorted(direct) for b in sorted(direct[a])]
    boxes = [f'    {a}["{a}<br>{lines[a]:,} lines"]' for a in sorted(lines)]
    diagram = "\n".join(["```mermaid", "graph TD", *boxes, *arrows, "```"])
    rows = sorted(lines, key=lambda name: -lines[name])
    table = "\n".join(
        ["| package | lines | imports |", "|---|---|---|"]
        + [
            f"| `{name}` | {lines[name]:,} | {', '.join(sorted(imports[name]))} |"
            for name in rows
        ]
        + [f"| together | {sum(lines.values()):,} | |"]
    )
    return f"{diagram}\n\n{table}"


def _leave_out_detours(imports):
    """Only the imports that no other imported package brings along."""

    def reach(name):
        return imports[name].union(*(reach(other) for other in imports[name]))

    return {
        name: imports[name].difference(*(reach(other) for other in imports[name]))
        for name in imports
    }


def _list_imports(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _check_out(commit, folder):
    archive = subprocess.run(
        ["git", "archive", commit, "ehsod_tf"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        file.extractall(folder, filter="data")


def _command(arguments):
    before = f" --before {arguments.before}" if arguments.before else ""
    return (
        f"python benchmarks/house/draw_packages.py{before} --output {arguments.output}"
    )


if __name__ == "__main__":
    main()
