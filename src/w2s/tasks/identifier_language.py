"""Identifier → language: which of four programming languages a name is from. The names come with Pygments."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from w2s.errors import InputError
from w2s.tasks.packaged import PackagedTask, as_many_of_each, options_for
from w2s.tasks.questions import Example, Question
from w2s.tasks.variations import rng_for

__all__ = ["TASK", "IdentifierLanguage"]

# Where below pygments.lexers each language's names are: a module, and what it calls them.
LISTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Asymptote": (("_asy_builtins", "ASYFUNCNAME"),),
    "Csound": (("_csound_builtins", "OPCODES"),),
    "Emacs Lisp": (("lisp", "EmacsLispLexer.builtin_function"),),
    "IDL": (("idl", "IDLLexer._BUILTIN_LIB"),),
    "Igor Pro": (("igor", "IgorLexer.functions"), ("igor", "IgorLexer.operations")),
    "LilyPond": (("_lilypond_builtins", "scheme_functions"),),
    "Macaulay2": (("macaulay2", "M2FUNCTIONS"),),
    "Objective-C": (("_cocoa_builtins", "COCOA_INTERFACES"),),
    "OpenEdge ABL": (("_openedge_builtins", "OPENEDGEKEYWORDS"),),
    "PHP": (("_php_builtins", "MODULES"),),
    "Phix": (("phix", "PhixLexer.routines"),),
    "Racket": (("lisp", "RacketLexer._builtins"),),
    "Scilab": (("_scilab_builtins", "functions_kw"), ("_scilab_builtins", "macros_kw")),
    "SourcePawn": (("_sourcemod_builtins", "FUNCTIONS"),),
    "Stan": (("_stan_builtins", "FUNCTIONS"),),
    "Stata": (("_stata_builtins", "builtins_base"), ("_stata_builtins", "builtins_functions")),
}
MIN_LETTERS = 5
NAMES = 500  # of each language


class IdentifierLanguage(PackagedTask):
    """Which of four programming languages a name is from, for 8,000 functions, classes and keywords of 16 languages.

    A record of the list by which Pygments colours PHP, and the question made of it:

        strtolower

        Which programming language is the name "strtolower" from?   IDL / Macaulay2 / PHP / Igor Pro

    Asked about are 500 names of each language that begin with a letter, have five characters or more, and that none of
    the other 15 lists has, whatever the case. Of two names of which one begins the other the longer is asked about:
    OpenEdge ABL has each keyword with all its abbreviations. What else a language's users may have called something
    is not considered: the right answer is the language that has the name built in, or in its usual libraries.

    Each language is right equally often, and the three others are drawn from all 15 alike. Without reading the name,
    right are, whatever is preferred: .25 (`packaged.options_for`).
    """

    name = "identifier-language"
    summary = "which of four programming languages a built-in name is from; needs no download"
    source = "package Pygments"
    licence = "BSD-2-Clause"
    package = "pygments"
    install = "pygments"

    @classmethod
    def make_examples(cls) -> list[Example]:
        """One example a name, language by language."""
        names = own_names({language: set(_listed(language)) for language in LISTS})
        return [_example(name, language) for language, name in as_many_of_each(names, NAMES)]


def own_names(lists: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The names of each list that can be asked about, in an order that means nothing."""
    lists_with = Counter(name for names in lists.values() for name in {name.casefold() for name in names})
    return {
        language: sorted(
            (
                name
                for name in _longest(names)
                if lists_with[name.casefold()] == 1 and len(name) >= MIN_LETTERS and name[0].isalpha()
            ),
            key=lambda name: rng_for(0, name).random(),
        )
        for language, names in lists.items()
    }


def _longest(names: Collection[str]) -> Iterator[str]:
    """The names that begin no other one, whatever the case."""
    following = ""
    for name in sorted(names, key=lambda name: (name.casefold(), name), reverse=True):
        if not following.startswith(name.casefold()):
            yield name
        following = name.casefold()


def _listed(language: str) -> Iterator[str]:
    for module, path in LISTS[language]:
        found: Any = importlib.import_module(f"pygments.lexers.{module}")
        for part in path.split("."):
            found = getattr(found, part, None)
        if not found:
            raise InputError(
                f"task identifier-language: this version of Pygments has no {module}.{path}; expected one like 2.21"
            )
        for names in found.values() if isinstance(found, Mapping) else [found]:
            yield from names


def _example(name: str, language: str) -> Example:
    identity = f"identifier-{language}-{name}"
    options = options_for(language, list(LISTS), identity)
    question = Question(
        id=identity, text=f'Which programming language is the name "{name}" from?', choices=tuple(options)
    )
    return Example(question=question, answer=language)


TASK = IdentifierLanguage
