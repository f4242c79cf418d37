"""GSM8K: word problems of grade-school arithmetic, answered with a number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from w2s.tasks.free_answer import FreeAnswer
from w2s.tasks.parsing import as_number, first_line, first_number, said_number, said_numbers
from w2s.tasks.questions import Example, Pool, Question, Variation
from w2s.tasks.records import Hub, Record, content_id
from w2s.tasks.replies import after_thinking, before_another

__all__ = ["GSM8K", "TASK"]

TEMPLATES = {
    "wording_0": "Solve this problem. Write the result, a number, on the first line.\n\nProblem: {question}\nResult:",
    "wording_1": "Problem: {question}\n\nWork it out, and state the final number first.\nFinal number:",
    "wording_2": "Here is an arithmetic exercise. Begin with its numeric solution.\n\n{question}\n\nSolution:",
    "wording_3": "Question: {question}\nGive the number that answers it, then explain if you like.\nNumber:",
    "wording_4": "A pupil asks for help with homework: {question}\n\nThe number to write down is",
    "wording_5": "Read the story, do the sums, and say what comes out.\n\nStory: {question}\nWhat comes out:",
    "wording_6": "{question}\n\nReply with a single number and nothing before it.\nReply:",
}

_DIGITS = re.compile(r"\d[\d.,/\s]*")
_BLANK = re.compile(r"\n\s*\n")


class GSM8K(FreeAnswer):
    """GSM8K (Cobbe et al., 2021), as the authors' JSONL files or from the hub.

    A record; the answer is what follows the four hashes, or else the number that is said to be the answer, or the only
    one:

        {"question": "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes of …",
         "answer": "Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute.\\n… $<<0.2*50=10>>10.\\n#### 10"}

    An answer is the number after "####", or else the one in a box or said to be the answer, or else the first of the
    first line; it is written without separators, currency or a decimal part that is zero. Where it is not clear which
    number that is, there is none (see `w2s.tasks.numbers`). The training split goes to weak_train and transfer, the
    test split to test. A single file goes anywhere.
    """

    name = "gsm8k"
    version: ClassVar[int] = 4
    summary = "grade-school word problems, answered with a number"
    source = "openai/gsm8k"
    licence = "MIT"
    templates = TEMPLATES
    hub = Hub(id="openai/gsm8k", config="main")
    pools: ClassVar[Mapping[str, Pool]] = {"train": "train", "test": "test"}
    unparsed = "drop_question"

    def examples(self) -> Iterator[Example]:
        """All examples of the data, in its order."""
        return map(_example, self.records)

    def parse(self, text: str, question: Question, variation: Variation) -> str | None:
        """The number that is said to be the answer; failing that, the first of the first line."""
        text = before_another(after_thinking(text).strip())
        line, (paragraph, *further) = first_line(text), _BLANK.split(text)
        first, alone = first_number(line), as_number(line.strip("* ").rstrip("."))
        said = said_numbers(text)
        if alone is not None and "####" not in text:  # what is further away has nothing to do with it
            said = said_numbers(paragraph) - {None}
        if not said:
            return first
        asks_again = alone is not None or any("?" in part for part in further)
        if first is not None and asks_again and not said_numbers(paragraph):
            said.add(first)  # what is said may answer a question that the model made up
        return said.pop() if len(said) == 1 else None


def _example(record: Record) -> Example:
    text, solution = record.text("question"), record.text("answer")
    alone = len(_DIGITS.findall(solution)) == 1
    answer = first_number(solution) if alone and not said_numbers(solution) else said_number(solution)
    if answer is None:
        problem = "no one number that is said to be the answer" if _DIGITS.search(solution) else "no number"
        raise record.error("answer", f"{problem} in {solution[-40:]!r}: expected it after ####")
    return Example(question=Question(id=content_id(text), text=text), answer=answer, pool=record.pool)


TASK = GSM8K
