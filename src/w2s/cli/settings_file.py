"""Settings files: read strictly, as UTF-8 wherever they are read, and handed to the parser as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s.errors import InputError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

__all__ = ["file_settings", "is_text", "named_setting", "settings_file", "settings_in", "with_files_read"]

# Far more than settings need. Beyond them a few lines stand for gigabytes, for minutes, or for a full stack.
_MOST_ALIASES, _MOST_BYTES, _MOST_DEPTH = 20, 2**18, 50


def is_text(value: str) -> bool:
    """Whether a text can be written down: it holds no half of a character, and no null byte."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def named_setting(words: Sequence[str], name: str) -> Any:
    """What a command line gives a setting, before the options are known: the last value, as the parser has it.

    Args:
        words: The command line.
        name: Of the setting, such as `preset` or `task.name`. Its value may stand in the option of that name, in that
            of its group, as a mapping or a file, or in the settings file.

    Returns:
        The value, a text where an option gives it; None where nothing does.

    Raises:
        InputError: A file that is named holds no settings.
    """
    group, _, field = name.rpartition(".")
    found = None
    for option, value in _options(words):
        if option == f"--{name}":
            found = value
        elif option == "--config":
            found = _looked_up(settings_in(value), name, found)
        elif group and option == f"--{group}":
            found = _looked_up(_mapping_in(value), field, found)
    return found


def settings_file(words: Sequence[str]) -> str | None:
    """The settings file that a command line names.

    Raises:
        InputError: It names two.
    """
    files = [value for option, value in _options(words) if option == "--config"]
    if len(files) > 1:
        raise InputError("--config is there more than once: expected one settings file")
    return files[0] if files else None


def file_settings(words: Sequence[str]) -> dict[str, Any]:
    """What the settings file holds that a command line names; nothing where it names none.

    Raises:
        InputError: It names two, or the file holds no settings.
    """
    file = settings_file(words)
    return {} if file is None else settings_in(file)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options of a command line that have values, each with its own."""
    for word, following in pairwise([*words, None]):
        assert word is not None
        option, equals, value = word.partition("=")
        if option.startswith("--") and (equals or following is not None):
            yield option, value if equals else str(following)


def _looked_up(settings: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """A setting by its dotted name, whether it stands under that or in mappings."""
    if name in settings:
        return settings[name]
    group, _, rest = name.partition(".")
    inner = settings.get(group) if rest else None
    return _looked_up(inner, rest, otherwise) if isinstance(inner, Mapping) else otherwise


def _mapping_in(value: str) -> dict[str, Any]:
    """The settings of a group, of a file or of a text that is a mapping; whatever else it is, the parser refuses."""
    if Path(value).is_file():
        return settings_in(value)
    return _parsed("", value) if value.startswith("{") else {}


def with_files_read(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """The command line with what settings files hold in place of their names.

    The parser would open them itself, in the encoding of the terminal, and take the last of two values.
    """
    groups = {option.rpartition(".")[0] for option in parser._option_string_actions if "." in option} | {"--config"}
    read: list[str] = []
    remaining = iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option in groups and (file := value if equals else next(remaining, None)) is not None:
            is_file = option == "--config" or Path(file).is_file()
            read.append(f"{option}={_as_yaml(settings_in(file)) if is_file else file}")
            continue
        text = value if option.startswith("--") else word
        if text[:1] in ("{", "["):
            _check_value(option if equals else word[:40], text)
        read.append(word)
    return read


def _check_value(what: str, text: str) -> None:
    import yaml

    with suppress(yaml.YAMLError):  # it may be a text
        _check(what, text)


def _as_yaml(settings: dict[str, Any]) -> str:
    """Settings as YAML in ASCII, in which every value says its type: nothing is guessed a second time."""
    import yaml

    return str(yaml.safe_dump(settings, default_style='"', sort_keys=False))


def settings_in(file: str) -> dict[str, Any]:
    """What a settings file holds.

    Raises:
        InputError: It is none.
    """
    from w2s.reading.texts import decoded

    path = Path(file)
    if not path.is_file():
        raise InputError(f"no such file: {file}")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(f"{file} has {size} bytes: expected a settings file, of at most {_MOST_BYTES}")
    return _parsed(file, decoded(path, ".yaml", (), None))


@lru_cache(maxsize=2)
def _parsed(file: str, text: str) -> dict[str, Any]:
    import yaml
    from jsonargparse import get_loader

    try:
        _check(file, text)
        content = get_loader("yaml")(text + "\n#")  # without the comment it takes `seeds:` for a text
    except InputError:
        raise
    # What is tagged as a date, a number or bytes, and is none, fails as Python's own function for it does.
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        raise InputError(f"{file} is empty: expected settings, as --print_config shows them")
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}: expected settings, as --print_config shows them")
    return content


def _check(what: str, text: str) -> None:
    """Make sure that a YAML text is no more than it looks, and no less."""
    import yaml

    _check_events(what, yaml.parse(text, Loader=yaml.SafeLoader))
    _refuse_twice(what, yaml.compose(text, Loader=yaml.SafeLoader))


def _check_events(file: str, events: Iterable[Any]) -> None:
    """Make sure that there is not more to a file than it looks."""
    import yaml

    aliases = depth = 0
    for event in events:
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > _MOST_ALIASES:
            raise InputError(f"{file} has more than {_MOST_ALIASES} aliases (*name): expected fewer")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise InputError(f"{file}: lists and mappings lie more than {_MOST_DEPTH} deep in one another")
        value = getattr(event, "value", None)
        if isinstance(value, str) and not is_text(value):
            line = event.start_mark.line + 1
            raise InputError(f"{file}, line {line}: an escape such as \\ud800 that is half a character, or \\0")


def _refuse_twice(file: str, root: Any) -> None:
    """Make sure that no setting is there twice: YAML would take the last without a word."""
    import yaml

    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, value in node.value:
                nodes += [key, value]
                name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
                if name in names:
                    raise InputError(f"{file}, line {key.start_mark.line + 1}: {key.value} is there twice")
                names.add(name)
