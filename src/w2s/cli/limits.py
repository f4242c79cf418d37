"""--max-requests and --max-cost: what a command may ask of servers, wherever its settings name them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

    from w2s.config import WeakSpec

__all__ = ["limit_options", "limited"]


def limit_options(parser: ArgumentParser) -> None:
    requests = "most requests to servers, all together"
    cost = "most that these may cost, by the server's settings price_in and price_out"
    parser.add_argument("--max-requests", type=int, default=None, help=requests)
    parser.add_argument("--max-cost", type=float, default=None, help=cost)


def limited(arguments: Namespace, *specs: WeakSpec) -> list[WeakSpec]:
    """Supervisors with the limits that a command names, in the settings of each that is a server.

    Raises:
        InputError: None is one, nothing would be asked, or a limit would be none.
    """
    from w2s.config_json import weak_from_dict

    given = {name: getattr(arguments, name) for name in ("max_requests", "max_cost")}
    limits = {name: value for name, value in given.items() if value is not None}
    if not limits:
        return list(specs)
    option = f"--{next(iter(limits)).replace('_', '-')}"
    for name, value in limits.items():
        if not value > 0:
            raise InputError(f"--{name.replace('_', '-')} is {value}: expected more than 0")
    found = [dataclasses.asdict(spec) for spec in specs]
    servers = [server for weak in found for server in _servers(weak)]
    if not servers:
        raise InputError(f"{option} limits what servers are asked, and no source here is a server")
    if arguments.get("requests_out"):
        raise InputError(
            f"{option} limits what servers are asked, and --requests-out asks nothing: expected one of them"
        )
    for settings in servers:
        settings.update(limits)
    return [weak_from_dict(weak) for weak in found]


def _servers(weak: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The settings of a supervisor that is a server, or of its members that are. What is none is refused elsewhere."""
    settings = weak.setdefault("settings", {})
    if not isinstance(settings, dict):
        return
    if weak.get("source") == "server":
        yield settings
    members = settings.get("members") if weak.get("source") == "pooled" else None
    for member in members if isinstance(members, list) else ():
        if isinstance(member, dict) and isinstance(member.get("weak"), dict):
            yield from _servers(member["weak"])
