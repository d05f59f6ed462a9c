"""What reading and checking a data set finds wrong, and how it is reported.

Readers and checks write into a `Findings`. A record that is wrong takes its whole image
out of the set: an image that lost one of its boxes would teach that the object is
background. Nothing stops at the first fault, so a user sees all of them together, and
whoever called decides: a run with ``skip_bad`` gives its `Findings` and goes on, a call
without any raises (`collects_or_raises`).
"""

import csv
import functools
import inspect
import os
import warnings
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ehsod_tf.data.reading_memory import is_kept, recall
from ehsod_tf.data.spelling import (
    describe_difference,
    find_similar,
    list_lookalikes,
    suggest,
)
from ehsod_tf.errors import DataError
from ehsod_tf.files import open_new
from ehsod_tf.wording import count

_NAMED_PROBLEMS = 10


class NoClassesError(DataError):
    """No class is asked for, and a source names none."""


class Problem(NamedTuple):
    """One thing that is wrong, and where.

    Attributes:
        file: path of the file or folder.
        record: the record in it, e.g. "annotation 17"; "" for the file as a whole.
        field: the field of the record, e.g. "bbox"; "" for the record as a whole.
        message: what is wrong and what to do about it.
    """

    file: str
    record: str
    field: str
    message: str

    def __str__(self) -> str:
        place = ", ".join(part for part in self[:3] if part)
        return f"{place}: {self.message}"


class Findings:
    """What readers and checks found.

    Attributes:
        problems: what is wrong. The images concerned are not in the set that the
            reader or check returned.
        notes: one line each about what is not wrong but worth knowing, such as how the
            supervision was inferred or which images carry no annotation at all.
        unannotated: by source, how many images were left out because nothing is known
            of them.
    """

    def __init__(self):
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.unannotated: dict[str, int] = {}

    def add(self, file: str, record: str, field: str, message: str) -> None:
        """Adds a problem."""
        self.problems.append(Problem(file, record, field, message))

    def note(self, text: str) -> None:
        """Adds a note."""
        self.notes.append(text)

    def count_unannotated(self, source: str, number: int) -> None:
        """Counts images of a source that are left out as nothing is known of them."""
        if number:
            self.unannotated[source] = self.unannotated.get(source, 0) + number

    def take(self, other: "Findings") -> None:
        """Adds what `other` found and these do not hold yet."""
        known = set(self.problems)
        self.problems += [p for p in other.problems if p not in known]
        self.notes += [note for note in other.notes if note not in self.notes]
        self.unannotated = other.unannotated | self.unannotated

    def describe_unannotated(self) -> str:
        """Says how many images are left out, a line for each source; "" for none.

        Whoever comes from tools that take them for background must not miss it.
        """
        return "\n".join(
            _describe_unused(source, number)
            for source, number in self.unannotated.items()
        )

    def settle(self) -> None:
        """Warns of the notes and raises one DataError that names the problems."""
        for text in self.notes:
            warnings.warn(text, stacklevel=3)
        raise_problems(self.problems)


def collects_or_raises(function: Callable) -> Callable:
    """Decorates a reader or check: its argument `findings` may be left out or be None.

    The function itself only collects. Called without `findings` it gets new ones, which
    are settled when it returns: notes become warnings, problems one DataError. What
    `reading_once` keeps is given, and found, again.
    """

    def collect(*args, **kwargs):
        findings = Findings()
        return function(*args, findings=findings, **kwargs), findings

    @functools.wraps(function)
    def call(*args, findings: Findings | None = None, **kwargs):
        if findings is None:
            result, findings = collect(*args, **kwargs)
            findings.settle()
            return result
        key = function, args, tuple(sorted(kwargs.items()))
        if not is_kept(key):
            return function(*args, findings=findings, **kwargs)
        result, own = recall(key, functools.partial(collect, *args, **kwargs))
        findings.take(own)
        return result

    # For readers of the signature: the argument is as the wrapper takes it.
    signature, hint = inspect.signature(function), Findings | None
    parameters = dict(signature.parameters)
    parameters["findings"] = parameters["findings"].replace(
        default=None, annotation=hint
    )
    call.__signature__ = signature.replace(parameters=parameters.values())
    call.__annotations__ = {**function.__annotations__, "findings": hint}
    return call


def raise_problems(problems: list[Problem]) -> None:
    """Raises one DataError that names the problems; does nothing if there are none."""
    if problems:
        raise DataError(format_problems(problems))


def _describe_unused(source: str, number: int) -> str:
    images = count(
        number, "image without any annotation is", "images without any annotation are"
    )
    return (
        f"warning: {images} NOT used, neither as background nor otherwise ({source}); "
        "if none of the classes is shown, set unannotated = 'empty'"
    )


def format_problems(problems: list[Problem]) -> str:
    """Returns one problem as one line; of several the first ten, below a heading."""
    problems = merge_equal(problems)
    if len(problems) == 1:
        return str(problems[0])
    lines = [f"{len(problems)} problems in the data:"]
    lines += [f"  {problem}" for problem in problems[:_NAMED_PROBLEMS]]
    if len(problems) > _NAMED_PROBLEMS:
        lines.append(f"  and {len(problems) - _NAMED_PROBLEMS} more")
    return "\n".join(lines)


def merge_equal(problems: Iterable[Problem]) -> list[Problem]:
    """Returns of all problems with one message the first, which then has a count.

    Ten problems or fewer stay as they are: each names its own record.
    """
    problems = list(problems)
    if len(problems) <= _NAMED_PROBLEMS:
        return problems
    equal: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        equal.setdefault((problem.field, problem.message), []).append(problem)
    merged = []
    for first, *others in equal.values():
        count = f" (and {len(others)} more like this)" if others else ""
        merged.append(first._replace(message=first.message + count))
    return merged


def write_problems(path: str | os.PathLike, problems: list[Problem]) -> None:
    """Writes the problems as a CSV file: file, record, field, message."""
    with open_new(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Problem._fields)
        writer.writerows(problems)


def check_class_names(
    class_names: Iterable[str],
    known_names: Iterable[str],
    source: str,
    findings: Findings,
) -> None:
    """Raises DataError for an empty list, a class listed twice, or a misspelt one.

    A part of a data set need not hold every class, so one that the source lacks is only
    noted; unless the source has a class of a similar name that was not asked for, or
    none of the classes at all.
    """
    class_names, known_names = list(class_names), list(known_names)
    if not class_names:
        raise NoClassesError(
            f"{source}: the class list is empty; name at least one class"
        )
    for position, name in enumerate(class_names):
        if name in class_names[:position]:
            raise DataError(f"{source}: class {name!r} is listed twice; keep one")
    lacking = [name for name in class_names if name not in known_names]
    others = [name for name in known_names if name not in class_names]
    for name in lacking:
        if len(lacking) == len(class_names) or find_similar(name, others):
            raise DataError(
                f"{source}: no class is called {name!r}; {suggest(name, others)}"
            )
    if lacking:
        findings.note(
            f"{source}: has no class called {', '.join(lacking)}; its images count as "
            "showing none"
        )
    for name, other in list_lookalikes(class_names, others):
        findings.note(
            f"{source}: {other!r} is none of the classes and is left out, though it "
            f"differs from the class {name!r} in {describe_difference(name, other)}"
        )
