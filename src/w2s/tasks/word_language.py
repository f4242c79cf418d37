"""Word → language: which of four languages a word is from. The words come with the package wordfreq."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from w2s.tasks.packaged import PackagedTask, as_many_of_each, options_for
from w2s.tasks.questions import Example, Question

__all__ = ["TASK", "WordLanguage"]

LANGUAGES = {
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "sv": "Swedish",
    "tr": "Turkish",
}
UNASKED = "en"  # the models that are asked know English best; a word that it has too is nobody else's
MIN_LETTERS = 5
WORDS = 1875  # of each language
_ACCENTS = re.compile(r"[\u0300-\u036f]")


class WordLanguage(PackagedTask):
    """Which of four languages a word is from, for 30,000 words of 16 languages in Latin script.

    A record of wordfreq's list of Danish, and the question made of it:

        nødvendigt

        Which language is the word "nødvendigt" from?   Danish / French / Spanish / Swedish

    wordfreq lists the words of each language that occur once in a million words or more. Asked about are the 1,875
    commonest of each language that have five letters or more, nothing but letters, and that none of the other 15 lists
    has, nor the English one, with or without accents: "canção" is asked about, "importante" (Spanish, Italian,
    Portuguese) is not, nor is "dobrý" (Czech; Polish has "dobry"). So the right answer is one of the four, and the only
    one. Of cognates only those of one spelling are left out: "nacht" and "noche" are different words here. Letters
    that Unicode does not take apart (ł, ø, ı) are no accented ones. Words are in lower case, as wordfreq has them, with
    ss for ß; there are names and curses among them.

    Each language is right equally often, and the three others are drawn from all 15 alike. Without reading the word,
    right are, whatever is preferred: .25 (`packaged.options_for`).
    """

    name = "word-language"
    summary = "which of four languages a word is from; needs no download"
    source = "package wordfreq"
    licence = "CC BY-SA 4.0 (wordfreq's lists); package Apache-2.0"
    package = "wordfreq"
    install = "wordfreq"

    @classmethod
    def make_examples(cls) -> list[Example]:
        """One example a word, language by language, the commonest words first."""
        import wordfreq

        lists = {code: _composed(wordfreq.iter_wordlist(code, "small")) for code in (*LANGUAGES, UNASKED)}
        words = {LANGUAGES[code]: own for code, own in own_words(lists).items() if code in LANGUAGES}
        return [_example(word, language) for language, word in as_many_of_each(words, WORDS)]


def own_words(lists: Mapping[str, Sequence[str]], most: int = WORDS) -> dict[str, list[str]]:
    """The first words of each list, long enough and of letters only, that no other has, with or without accents."""
    plain = {code: _without_accents(words) for code, words in lists.items()}
    lists_with = Counter(chain.from_iterable(map(set, plain.values())))

    def own(code: str) -> Iterator[str]:
        for word, bare in zip(lists[code], plain[code], strict=True):
            if lists_with[bare] == 1 and len(word) >= MIN_LETTERS and word.isalpha():
                yield word

    return {code: list(islice(own(code), most)) for code in lists}


# Both take all words as one text: there are two thirds of a million, and each call takes its time.


def _composed(words: Iterable[str]) -> list[str]:
    return unicodedata.normalize("NFC", "\n".join(words)).splitlines()


def _without_accents(words: Iterable[str]) -> list[str]:
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", "\n".join(words))).splitlines()


def _example(word: str, language: str) -> Example:
    identity = f"word-{word}"
    options = options_for(language, list(LANGUAGES.values()), identity)
    question = Question(id=identity, text=f'Which language is the word "{word}" from?', choices=tuple(options))
    return Example(question=question, answer=language)


TASK = WordLanguage
