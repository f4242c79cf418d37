"""Several supervisors at once: models, servers and people, each a source of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from w2s.config import WeakSpec
from w2s.config_json import weak_from_dict
from w2s.errors import InputError, unknown_name
from w2s.supervisors.source import OF_LOCAL_MODEL, Source, SourceStages, Supervision, refuse_unused

__all__ = ["SOURCES"]

_FORM = "a list such as [{name: a, weak: {source: prompted, name: smollm2-135m}}, {name: b, weak: {…}}]"


def _members(spec: WeakSpec) -> dict[str, Mapping[str, Any]]:
    """The settings of each supervisor, by what it is called."""
    unknown = [name for name in spec.settings if name != "members"]
    if unknown:
        raise unknown_name("setting of source pooled", unknown[0], ["members"])
    members = spec.settings.get("members")
    if not isinstance(members, list) or len(members) < 2:
        raise InputError(f"weak.settings.members is {members!r}: expected {_FORM}")
    found: dict[str, Mapping[str, Any]] = {}
    for member in members:
        if not isinstance(member, dict) or set(member) != {"name", "weak"} or not isinstance(member["weak"], dict):
            raise InputError(f"member {member!r} of source pooled: expected {{name: …, weak: {{source: …}}}}")
        if str(member["name"]) in found:
            raise InputError(f"two members of source pooled are called {member['name']!r}: expected a name each")
        found[str(member["name"])] = member["weak"]
    return found


def _steps(stages: SourceStages) -> Supervision:
    laid = {name: stages.of(weak, name) for name, weak in _members(stages.spec).items()}
    calibrations = [one.calibration for one in laid.values()]
    predictions = [one.predictions for one in laid.values() if one.predictions is not None]
    silent = [name for name, one in laid.items() if one.predictions is None]
    return Supervision(
        answers=stages.join([one.answers for one in laid.values()], label="weak answers", supervisors=list(laid)),
        predictions=stages.judge(*predictions) if not silent else None,
        calibration=None
        if None in calibrations
        else stages.join(
            [one for one in calibrations if one is not None], label="weak answers to weak_train", supervisors=list(laid)
        ),
        missing=f"{', '.join(silent)} of the pooled supervisors answered no test questions" if silent else "",
        supervisors=tuple(laid),
        tests={name: step for name, one in laid.items() if (step := one.tests.get("", one.predictions)) is not None},
    )


def _check(spec: WeakSpec) -> None:
    refuse_unused(spec, "url", "key_env", "examples", *OF_LOCAL_MODEL)
    for name, weak in _members(spec).items():
        if weak_from_dict(weak).source == "pooled":
            raise InputError(f"member {name} is pooled itself: expected its members beside the others")


SOURCES = (
    Source(
        name="pooled",
        summary="several supervisors (weak.settings.members), whose answers vote together",
        steps=_steps,
        needs_weak_train=lambda spec: False,  # a member that does is refused when it lays its steps
        check=_check,
        called=lambda spec: " + ".join(_members(spec)),
    ),
)
