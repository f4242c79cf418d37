"""One computation as plain data: what it is, what decides its outcome, and what it reads."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from w2s.progress import Progress, no_progress

__all__ = ["Address", "Build", "Context", "Json", "Step", "key_of", "steps_from_json", "steps_to_json", "walk"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

KEY_DIGITS = 32


class Address(NamedTuple):
    """Where a step's result is kept: its kind, and its key."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"

    @classmethod
    def parse(cls, text: str) -> Address | None:
        """An address from its text; None where it is that of no result."""
        found = re.fullmatch(rf"([a-z0-9-]+)/([0-9a-f]{{{KEY_DIGITS}}})", text)
        return None if found is None else cls(found[1], found[2])


def key_of(
    kind: str, versions: Mapping[str, int | str], settings: Mapping[str, Json], inputs: Mapping[str, str]
) -> str:
    """The hash of all that decides a step's outcome, in hexadecimal digits; `inputs` are the inputs' keys by name."""
    identity: Json = {"kind": kind, "versions": versions, "settings": settings, "inputs": inputs}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:KEY_DIGITS]


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One computation, named by everything that decides its outcome. Plain data: it can be pickled or written as JSON.

    Settings are copied at construction, with tuples turned to lists, so that the key cannot change later.
    Numbers keep their type: 1, 1.0 and True give three keys. Computing twice is cheaper than taking a
    count for a fraction.

    Attributes:
        kind: What the result is ("answers", "training"): a folder in the store, of `a-z`, `0-9` and `-`.
        label: What people read; not part of the key.
        settings: All that decides the outcome besides the inputs. A file that is read belongs here by its
            content's hash, not by its path.
        inputs: The steps whose results this one reads, by the name that the build knows them by.
        versions: Of every piece of code that decides the outcome, by the piece's name.
        execution: How and from where it is computed (paths, device, batch sizes); not part of the key.

    Raises:
        TypeError: A setting is not JSON; the message names it.
    """

    kind: str
    label: str
    settings: Mapping[str, Json]
    inputs: Mapping[str, Step]
    versions: Mapping[str, int | str] = field(default_factory=dict)
    execution: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert re.fullmatch(r"[a-z0-9-]+", self.kind), f"kind {self.kind!r}: expected a-z, 0-9 and - only"
        for name in ("settings", "execution"):
            values = {key: _as_json(value, f"{self.kind}.{key}") for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, values)
        object.__setattr__(self, "inputs", dict(self.inputs))
        object.__setattr__(self, "versions", dict(self.versions))

    @cached_property
    def key(self) -> str:
        """The hash of kind, versions, settings and the inputs' keys by name, in hexadecimal digits."""
        inputs = {name: step.key for name, step in self.inputs.items()}
        return key_of(self.kind, self.versions, self.settings, inputs)

    @property
    def address(self) -> Address:
        """Where its result is kept."""
        return Address(self.kind, self.key)


def walk(targets: Iterable[Step], stop: Callable[[Step], bool]) -> Iterator[Step]:
    """Yields each step once, inputs first, leaving out those at which to stop and what only they read.

    It is lazy: `stop` sees a step when all that was yielded before it has been dealt with.
    """
    seen: set[str] = set()
    for target in targets:
        path: list[tuple[Step, Iterator[Step]]] = []  # not by recursion: a chain may be longer than Python's stack
        following: Step | None = target
        while following is not None or path:
            if following is not None and following.key not in seen:
                seen.add(following.key)
                if not stop(following):
                    path.append((following, iter(following.inputs.values())))
            if not path:
                break
            step, inputs = path[-1]
            following = next(inputs, None)
            if following is None:
                path.pop()
                yield step


def steps_to_json(targets: Sequence[Step]) -> str:
    """Steps and all that they read, as a text that `steps_from_json` turns into the same steps elsewhere."""
    written: dict[str, Json] = {}

    def write(step: Step) -> None:
        if step.key in written:
            return
        for before in step.inputs.values():
            write(before)
        written[step.key] = {
            "kind": step.kind,
            "label": step.label,
            "settings": step.settings,
            "versions": step.versions,
            "execution": step.execution,
            "inputs": {name: before.key for name, before in step.inputs.items()},
        }

    for target in targets:
        write(target)
    return json.dumps({"steps": written, "targets": [target.key for target in targets]})


def steps_from_json(text: str) -> list[Step]:
    """The inverse of `steps_to_json`: the targets, with their inputs behind them."""
    data = json.loads(text)
    steps: dict[str, Step] = {}
    for key, fields in data["steps"].items():  # inputs come first
        inputs = {name: steps[before] for name, before in fields.pop("inputs").items()}
        steps[key] = Step(**fields, inputs=inputs)
    return [steps[key] for key in data["targets"]]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a build gets besides settings and folders.

    Attributes:
        progress: Is told how far it is.
        execution: The step's own: how and from where it is computed.
        cache: A folder that outlives steps, for what must not be asked twice; it is made when it is needed.
    """

    progress: Progress = no_progress
    execution: Mapping[str, Any] = field(default_factory=dict)
    cache: Path = Path("cache")


class Build(Protocol):
    """Computes a step's result."""

    def __call__(self, settings: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, context: Context) -> None:
        """Compute.

        Args:
            settings: The step's.
            inputs: The inputs' finished folders, by name. They are shared: read only.
            out: The folder to write into. What a killed try left there is still there: write its files with
                `atomic_write`, and go on from those that exist.
            context: Progress, and the step's execution.
        """


def _as_json(value: object, name: str) -> Json:
    """A copy of a setting in plain lists and dictionaries; `name` is its dotted path, for the error."""
    match value:
        case float() if not math.isfinite(value):
            raise TypeError(f"setting {name} is {value!r}: expected a finite number")
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_as_json(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case Mapping():
            for inner in value:
                if not isinstance(inner, str):
                    raise TypeError(f"setting {name} has the name {inner!r}: expected a string")
            return {inner: _as_json(item, f"{name}.{inner}") for inner, item in value.items()}
        case _:
            raise TypeError(
                f"setting {name} is {value!r} ({type(value).__name__}): expected null, a boolean, a number, a string, "
                "a list or a mapping"
            )
