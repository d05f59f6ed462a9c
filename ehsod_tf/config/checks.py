"""Settings that would do nothing: gin accepts them, `load_config` does not.

gin lets a config bind any name, and a misspelt one trains without a word. Here every
line of a config, of what it includes and of the command line is held against what the
run reads: from ``Experiment`` to whatever its values refer to, and so on, each in the
scope in which it will be called.

A line of a file may be overridden by a later one, so it only has to be read by some
line, overridden or not: ``CoupledSGD.momentum`` stands in ``base.gin`` also where a
leaf takes another optimizer. A line of the command line is somebody's wish for this run
and has to be in force.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ehsod_tf.config.parsing import Macro, Reference, Setting
from ehsod_tf.errors import ConfigError

_ROOT = "Experiment"


def check_settings(
    settings: Sequence[Setting],
    parameters: Mapping[str, Collection[str]],
    given: Mapping[str, Collection[str]],
    *,
    others_are_known: bool = False,
) -> None:
    """Raises a `ConfigError` that names every line that does nothing.

    Args:
        settings: of `read_settings`.
        parameters: what can be set, by target.
        given: of these, what the program itself gives, so that no config can.
        others_are_known: a config imports modules, whose targets only gin knows.
    """
    possible = _follow(settings)
    in_force = _follow(list({setting.key: setting for setting in settings}.values()))
    judge = _Judge(parameters, given, others_are_known, settings, possible, in_force)
    faults = [
        f"{setting.where}: {fault}"
        for setting in settings
        if (fault := judge.find_fault(setting))
    ]
    if faults:
        raise ConfigError("; ".join(faults))


class _Reach(NamedTuple):
    """What is read from ``Experiment`` on: macros, and targets with their scopes."""

    macros: set[str]
    targets: set[tuple[tuple[str, ...], str]]

    def reads(self, setting: Setting) -> bool:
        if not setting.name:
            return setting.target in self.macros
        # A call in the scope a/b takes the settings of a/b, of a and of no scope.
        size = len(setting.scope)
        return any(
            target == setting.target and scope[:size] == setting.scope
            for scope, target in self.targets
        )

    def list_scopes(self, target: str) -> list[str]:
        return sorted({"/".join(s) for s, name in self.targets if name == target and s})


def _follow(settings: Sequence[Setting]) -> _Reach:
    reach = _Reach(set(), set())
    waiting = [((), Reference((), _ROOT))]
    seen = set()
    while waiting:
        item = scope, reference = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        if isinstance(reference, Macro):
            reach.macros.add(reference.name)
            found = [s for s in settings if not s.name and s.target == reference.name]
        else:
            # A reference without a scope is called in the scope that it stands in.
            scope = reference.scope or scope
            reach.targets.add((scope, reference.target))
            found = [
                s
                for s in settings
                if s.name
                and s.target == reference.target
                and s.scope == scope[: len(s.scope)]
            ]
        waiting += [(scope, r) for s in found for r in _list_references(s.value)]
    return reach


def _list_references(value) -> Iterator[Reference | Macro]:
    if isinstance(value, Reference | Macro):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _list_references(list(pair))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _list_references(item)


class _Judge(NamedTuple):
    parameters: Mapping[str, Collection[str]]
    given: Mapping[str, Collection[str]]
    others_are_known: bool
    settings: Sequence[Setting]
    possible: _Reach
    in_force: _Reach

    def find_fault(self, setting: Setting) -> str | None:
        """What is wrong with a setting, and what was probably meant."""
        return (
            (self._check_name(setting) if setting.name else None)
            or self._check_references(setting)
            or self._check_reach(setting)
        )

    def _check_name(self, setting):
        target, name = setting.target, setting.name
        if target not in self.parameters:
            if self.others_are_known or target.startswith("gin."):
                return None
            return f"there is no {target} to set{_suggest(target, self.parameters)}"
        given = self.given.get(target, ())
        if name in given:
            hint = " by Experiment.learning_rate" if name == "learning_rate" else ""
            return f"{target}.{name} cannot be set: the program gives it{hint}"
        known = [known for known in self.parameters[target] if known not in given]
        if name not in known:
            hint = _suggest(name, known) or self._find_elsewhere(name)
            return f"{target} has no setting {name}{hint}"
        return None

    def _check_references(self, setting):
        defined = {s.target for s in self.settings if not s.name}
        for reference in _list_references(setting.value):
            name = reference[-1]
            if isinstance(reference, Macro):
                if name not in defined and "." not in name:
                    return f"nothing sets {name}{_suggest(name, defined)}"
            elif name not in self.parameters and not self.others_are_known:
                return f"there is no {name}{_suggest(name, self.parameters)}"
        return None

    def _check_reach(self, setting):
        reach = self.in_force if setting.is_wish else self.possible
        if reach.reads(setting) or setting.target.startswith("gin."):
            return None
        if not setting.name:
            hint = _suggest(setting.target, reach.macros)
            hint = hint or self._find_elsewhere(setting.target)
            return f"nothing reads {setting.target}{hint}"
        if any(target == setting.target for _, target in reach.targets):
            scope = "/".join(setting.scope)
            hint = _suggest(scope, reach.list_scopes(setting.target), anyway=True)
            return f"nothing uses {setting.target} in a scope {scope}{hint}"
        return f"this configuration does not use {setting.target}"

    def _find_elsewhere(self, name):
        found = [
            f"{target}.{known}"
            for target, names in self.parameters.items()
            for known in names
            if _simplify(known) == _simplify(name)
            and known not in self.given.get(target, ())
        ]
        # Where the same name is a setting of many, none of them is the likely one.
        return f"; did you mean {found[0]}?" if len(found) == 1 else ""


def _suggest(name: str, known: Collection[str], anyway: bool = False) -> str:
    by_simple = {_simplify(other): other for other in sorted(known)}
    close = difflib.get_close_matches(_simplify(name), by_simple, n=1)
    if close:
        return f"; did you mean {by_simple[close[0]]}?"
    return f"; there is {', '.join(sorted(known))}" if anyway and known else ""


def _simplify(name: str) -> str:
    return name.lower().replace("_", "")
