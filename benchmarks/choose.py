"""Labelling multiple-choice questions: w2s against two other ways, on the same questions and model.

    pip install lm_eval==0.4.13
    python benchmarks/choose.py --data FOLDER [--mmlu FOLDER] [--model smollm2-135m] [--questions 64]

The first table is a supervisor's work: five orders of each question's options, listed in the prompt and answered
by letter. The other way is one prompt at a time, sent through `generate` for up to 50 new tokens, and the text is
read. It is timed on a few prompts, drawn at random, since each may cost seconds. A model that takes the prompt for the
place to end writes nothing, fast: so there is a row for `generate` as it is, one where the first token may not be the
end, and one that always writes all 50.

The second table is the form of lm-evaluation-harness: the log-likelihood of each of four endings after the text, and
no list of options. The other way is the harness itself: its Hugging Face model, on the same strings, at several batch
sizes. The harness takes log-softmax and sum in the model's dtype, w2s in float32. In bfloat16 the two differ by what
that rounds off, so both also score a few questions in float32.

The third table, with `--mmlu`, is few-shot prompting: questions of MMLU in five orders of their options, each after the
same five examples, answered by letter. The other way is the harness on the same prompts: of options that are
one token it reads a prompt once.

Each row is one run, in a process of its own, after a few prompts that are not timed; tokenization is.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple
from unittest import mock

from common import Side, device_name, in_own_process, language_model, plain_model, print_table, run_script

from w2s.config import AnsweringSpec, TaskSpec
from w2s.errors import InputError
from w2s.models.load import LanguageModel
from w2s.supervisors.asking import gold_answers, shown_examples
from w2s.supervisors.base import Answer, Prompt
from w2s.supervisors.local import LocalModel
from w2s.tasks import Question, Task, Variation, gold_of, load_task, questions_of

WARM = 8  # prompts before the clock starts


class Labelled(NamedTuple):
    """How one side answered prompts.

    Attributes:
        model: It, in words.
        seconds: For all of them.
        answers: Each prompt's canonical answer, None where none could be read.
        prompt_tokens: In all of them.
        new_tokens: Written after them.
    """

    model: str
    seconds: float
    answers: list[str | None]
    prompt_tokens: int
    new_tokens: int = 0


class Scored(NamedTuple):
    """How one side scored endings.

    Attributes:
        model: It, in words.
        seconds: For all of them.
        logprobs: (questions, endings) in nats.
        tokens: Of every question's text with every one of its endings.
    """

    model: str
    seconds: float
    logprobs: list[list[float]]
    tokens: int


def load_questions(spec: TaskSpec) -> tuple[Task, list[Question], list[str | None]]:
    """The task, the questions of its transfer split, and their right answers."""
    task = load_task(**vars(spec))
    splits = task.splits()
    questions = questions_of(splits.questions, "transfer")
    gold = gold_of(splits.gold, "transfer")
    return task, questions, [gold[question.id] for question in questions]


def ask(task: Task, questions: Sequence[Question], before: str = "") -> list[Prompt]:
    """Every question in all its variations."""
    ways = {question.id: task.vary(question, task.num_variations, seed=0) for question in questions}
    return [Prompt(question, way, before) for question in questions for way in ways[question.id]]


def ask_few_shot(spec: TaskSpec) -> tuple[list[Prompt], list[str | None]]:
    """The same after as many examples as `weak_train` has, and the right answer to each prompt."""
    task, questions, right = load_questions(spec)
    splits = task.splits()
    shown = gold_answers(task, questions_of(splits.questions, "weak_train"), gold_of(splits.gold, "weak_train"))
    asked = ask(task, questions, shown_examples(shown, shown.num_rows))
    return asked, [answer for answer in right for _ in range(task.num_variations)]


def answer_all(supervisor: LocalModel, asked: Sequence[Prompt]) -> list[Answer]:
    """A supervisor's answers, in the order of what is asked."""
    answers: dict[int, Answer] = {}
    for batch in supervisor.plan(asked):
        answers.update(zip(batch.rows, batch.answer(), strict=True))
    return [answers[row] for row in range(len(asked))]


def count_tokens(lm: LanguageModel, texts: Sequence[str]) -> int:
    """Tokens of all texts together."""
    return sum(map(len, lm.tokenizer(list(texts))["input_ids"]))


def share_right(answers: Sequence[str | None], gold: Sequence[str | None]) -> float:
    """Accuracy; an answer that could not be read is wrong."""
    return sum(answer is not None and answer == right for answer, right in zip(answers, gold, strict=True)) / len(gold)


@contextmanager
def each_prompt_alone() -> Iterator[None]:
    """Prompts share nothing: what they would have to have in common is more than all of a prompt."""
    with mock.patch("w2s.engine.choose._SHARED", 2.0), mock.patch("w2s.engine.choose.prefix_of", lambda *_: None):
        yield


def answer_by_option(model: str, spec: TaskSpec, shares: bool, dtype: str = "auto") -> Labelled:
    """w2s: the likeliest letter, prompts in batches; what the orders of a question share is read once, or each time."""
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)
    with nullcontext() if shares else each_prompt_alone(), language_model(model, dtype=dtype) as lm:
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name=model)
        answer_all(supervisor, asked[:WARM])
        began = time.perf_counter()
        answers = answer_all(supervisor, asked)
        seconds = time.perf_counter() - began
        tokens = count_tokens(lm, [one.variation.prompt for one in asked])
        return Labelled(str(lm), seconds, [answer.answer for answer in answers], tokens)


def answer_one_at_a_time(model: str, spec: TaskSpec, rows: Sequence[int], at_least: int) -> Labelled:
    """The plain way: tokenize a prompt, let the model write, read what it wrote."""
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)
    with plain_model(model) as lm:
        _answer_one(lm, task, asked[0], at_least)
        began = time.perf_counter()
        answered = [_answer_one(lm, task, asked[row], at_least) for row in rows]
        seconds = time.perf_counter() - began
        tokens = count_tokens(lm, [asked[row].variation.prompt for row in rows])
        answers, written = zip(*answered, strict=True)
        return Labelled(str(lm), seconds, list(answers), tokens, sum(written))


def _answer_one(lm: LanguageModel, task: Task, one: Prompt, at_least: int) -> tuple[str | None, int]:
    """The answer to one prompt, and how many tokens were written for it."""
    ids = lm.tokenizer(one.variation.prompt, return_tensors="pt").to(lm.device)
    output = lm.model.generate(
        input_ids=ids["input_ids"],
        attention_mask=ids["attention_mask"],
        max_new_tokens=50,
        min_new_tokens=at_least or None,
        do_sample=False,
        pad_token_id=lm.tokenizer.pad_token_id,
    )
    written = output[0, ids["input_ids"].shape[1] :]
    text = lm.tokenizer.decode(written, skip_special_tokens=True)
    return task.parse(text, one.question, one.variation), len(written)


def as_endings(question: Question) -> Prompt:
    """A question as a text to go on with, and its choices as endings."""
    return Prompt(
        question,
        Variation(
            question_id=question.id,
            variation=0,
            prompt=f"{question.fields['activity']}: {question.text}",
            completions=tuple(f" {choice}" for choice in question.choices),
            positions=tuple(range(len(question.choices))),
        ),
    )


def pairs_of(asked: Sequence[Prompt]) -> list[tuple[str, str]]:
    """Every text with every one of its endings."""
    return [(one.text, ending) for one in asked for ending in one.variation.completions]


def to_score(spec: TaskSpec) -> list[Prompt]:
    """HellaSwag's texts with their endings, or MMLU's few-shot prompts with their letters."""
    if spec.name == "mmlu":
        return ask_few_shot(spec)[0]
    return [as_endings(question) for question in load_questions(spec)[1]]


def score_with_w2s(model: str, spec: TaskSpec, dtype: str) -> Scored:
    """w2s: what texts and endings share goes through the model once."""
    task, asked = load_questions(spec)[0], to_score(spec)
    with language_model(model, dtype=dtype) as lm:
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name=model)
        answer_all(supervisor, asked[:WARM])
        began = time.perf_counter()
        answers = answer_all(supervisor, asked)
        seconds = time.perf_counter() - began
        tokens = count_tokens(lm, [text + ending for text, ending in pairs_of(asked)])
        return Scored(str(lm), seconds, [answer.choice_logprobs or [] for answer in answers], tokens)


def score_with_harness(model: str, spec: TaskSpec, dtype: str, batch_size: int) -> Scored:
    """lm-evaluation-harness: a text goes through the model once for each ending; its own defaults otherwise."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns that the model was loaded already
    asked = to_score(spec)
    pairs = pairs_of(asked)
    requests = [Instance("loglikelihood", {}, pair, row) for row, pair in enumerate(pairs)]
    with plain_model(model, dtype=dtype) as lm:
        harness = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, backend="causal", batch_size=batch_size)
        harness.loglikelihood(requests[: max(WARM, batch_size)], disable_tqdm=True)
        began = time.perf_counter()
        flat = iter(harness.loglikelihood(requests, disable_tqdm=True))
        seconds = time.perf_counter() - began
        logprobs = [[next(flat)[0] for _ in one.variation.completions] for one in asked]
        return Scored(str(lm), seconds, logprobs, count_tokens(lm, [text + ending for text, ending in pairs]))


def likeliest(questions: Sequence[Question], logprobs: Sequence[Sequence[float]], *, by_length: bool) -> list[str]:
    """Each question's choice with the highest log-likelihood, in all or for each of its characters."""
    chosen = []
    for question, row in zip(questions, logprobs, strict=True):
        scores = [score / len(text) if by_length else score for score, text in zip(row, question.choices, strict=True)]
        chosen.append(question.choices[scores.index(max(scores))])
    return chosen


def largest_difference(some: Scored, all_of_them: Scored) -> float:
    """Of two log-likelihoods of the same ending, over the questions of the first."""
    rows = zip(some.logprobs, all_of_them.logprobs, strict=False)
    return max(abs(a - b) for row, other in rows for a, b in zip(row, other, strict=True))


def compare_labelling(model: str, spec: TaskSpec, few: int, at_least: Sequence[int]) -> None:
    """Five orders of the options, answered by letter."""
    task, questions, right = load_questions(spec)
    ways = task.num_variations
    gold = [answer for answer in right for _ in range(ways)]
    rows = sorted(random.Random(0).sample(range(len(gold)), min(few, len(gold))))
    gold_few = [gold[row] for row in rows]
    fast = in_own_process(answer_by_option, model=model, spec=spec, shares=True)
    apart = in_own_process(answer_by_option, model=model, spec=spec, shares=False)
    slow = {
        f"one at a time, {least} to 50 new tokens": in_own_process(
            answer_one_at_a_time, model=model, spec=spec, rows=rows, at_least=least
        )
        for least in at_least
    }
    print_table(
        f"answering by letter: {len(questions)} HellaSwag questions in {ways} orders; {fast.value.model}",
        ["", "prompts", "prompts/s", "questions/s", "prompt tokens/s", "new tokens each", "accuracy", "peak GB"],
        [
            _labelling_row("w2s", fast, ways, gold),
            _labelling_row("w2s, each prompt alone", apart, ways, gold),
            *(_labelling_row(name, side, ways, gold_few) for name, side in slow.items()),
        ],
    )
    ours = [fast.value.answers[row] for row in rows]
    alike = sum(a == b for a, b in zip(fast.value.answers, apart.value.answers, strict=True))
    print(
        f"sharing what a question's orders have in common: ratio {_rate(fast) / _rate(apart):.2f},"
        f" {alike} of {len(gold)} answers the same"
    )
    print(f"the same {len(rows)} prompts: w2s's accuracy {share_right(ours, gold_few):.3f}")
    for name, side in slow.items():
        read = [(a, b) for a, b in zip(ours, side.value.answers, strict=True) if b is not None]
        print(
            f"  {name}: accuracy {share_right(side.value.answers, gold_few):.3f}, {len(read)} texts that can be read,"
            f" {sum(a == b for a, b in read)} of them with w2s's answer; ratio {_rate(fast) / _rate(side):.1f}"
        )
    print()


def _rate(side: Side) -> float:
    """Prompts a second."""
    return len(side.value.answers) / float(side.value.seconds)


def _labelling_row(name: str, side: Side, ways: int, gold: Sequence[str | None]) -> list[str]:
    labelled: Labelled = side.value
    rate = _rate(side)
    return [
        name,
        f"{len(labelled.answers)}",
        f"{rate:.2f}",
        f"{rate / ways:.2f}",
        f"{labelled.prompt_tokens / labelled.seconds:,.0f}",
        f"{labelled.new_tokens / len(labelled.answers):.1f}",
        f"{share_right(labelled.answers, gold):.3f}",
        f"{side.peak_gb:.2f}",
    ]


def compare_scoring(model: str, spec: TaskSpec, batch_sizes: Sequence[int], check: int) -> None:
    """The endings' log-likelihoods."""
    _, questions, gold = load_questions(spec)
    first = in_own_process(score_with_w2s, model=model, spec=spec, dtype="auto")
    others = {
        size: in_own_process(score_with_harness, model=model, spec=spec, dtype="auto", batch_size=size)
        for size in batch_sizes
    }
    best = min(others.values(), key=lambda side: side.value.seconds)
    named = {"w2s": first} | {f"lm-eval 0.4.13, batches of {size}": side for size, side in others.items()}
    print_table(
        f"scoring the endings: {len(questions)} HellaSwag questions; {first.value.model}",
        ["", "questions/s", "tokens/s", "accuracy", "accuracy by length", "peak GB"],
        [_scoring_row(name, side, questions, gold) for name, side in named.items()],
    )
    ours, theirs = first.value, best.value
    chosen = [likeliest(questions, scored.logprobs, by_length=False) for scored in (ours, theirs)]
    print("tokens: of every text with every ending, though w2s computes the text once")
    print(
        f"against the fastest of lm-eval: ratio {theirs.seconds / ours.seconds:.1f};"
        f" {sum(a != b for a, b in zip(*chosen, strict=True))} of {len(questions)} questions with another likeliest"
        f" ending; log-likelihoods up to {largest_difference(ours, theirs):.2g} apart"
    )
    if not check:
        return
    some = replace(spec, transfer=min(check, len(questions)))
    exact = in_own_process(score_with_w2s, model=model, spec=some, dtype="float32").value
    other = in_own_process(
        score_with_harness, model=model, spec=some, dtype="float32", batch_size=min(batch_sizes)
    ).value
    print(
        f"{some.transfer} questions in float32: the two are up to {largest_difference(exact, other):.2g} apart; from"
        f" there, w2s's above are up to {largest_difference(exact, ours):.2g} off, lm-eval's"
        f" {largest_difference(exact, theirs):.2g}"
    )


def compare_few_shot(model: str, spec: TaskSpec, batch_sizes: Sequence[int]) -> None:
    """The letters after few-shot prompts."""
    asked, gold = ask_few_shot(spec)
    first = in_own_process(score_with_w2s, model=model, spec=spec, dtype="auto")
    others = {
        size: in_own_process(score_with_harness, model=model, spec=spec, dtype="auto", batch_size=size)
        for size in batch_sizes
    }
    named = {"w2s": first} | {f"lm-eval 0.4.13, batches of {size}": side for size, side in others.items()}
    print_table(
        f"{spec.weak_train}-shot letters: {spec.transfer} questions of MMLU in {spec.num_variations} orders; "
        f"{first.value.model}",
        ["", "prompts/s", "accuracy", "peak GB"],
        [
            [
                name,
                f"{len(asked) / side.value.seconds:.2f}",
                f"{share_right(_chosen(asked, side.value), gold):.3f}",
                f"{side.peak_gb:.2f}",
            ]
            for name, side in named.items()
        ],
    )
    best = min((side.value for side in others.values()), key=lambda scored: scored.seconds)
    ours, theirs = _chosen(asked, first.value), _chosen(asked, best)
    print(
        f"against the fastest of lm-eval: ratio {best.seconds / first.value.seconds:.1f};"
        f" {sum(a != b for a, b in zip(ours, theirs, strict=True))} of {len(asked)} answers differ;"
        f" log-likelihoods up to {largest_difference(first.value, best):.2g} apart"
    )


def _chosen(asked: Sequence[Prompt], scored: Scored) -> list[str]:
    """The likeliest option of each prompt."""
    return [one.question.choices[row.index(max(row))] for one, row in zip(asked, scored.logprobs, strict=True)]


def _scoring_row(name: str, side: Side, questions: Sequence[Question], gold: Sequence[str | None]) -> list[str]:
    scored: Scored = side.value
    by_length = [share_right(likeliest(questions, scored.logprobs, by_length=flag), gold) for flag in (False, True)]
    return [
        name,
        f"{len(questions) / scored.seconds:.2f}",
        f"{scored.tokens / scored.seconds:,.0f}",
        *(f"{accuracy:.3f}" for accuracy in by_length),
        f"{side.peak_gb:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="HellaSwag's files, or a folder of them; by default the hub's")
    parser.add_argument("--mmlu", help="MMLU's files, or a folder of them: few-shot prompts are measured too")
    parser.add_argument("--shots", type=int, default=5, help="examples before each of these (default: %(default)s)")
    parser.add_argument("--only-few-shot", action="store_true")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--variations", type=int, default=5)
    parser.add_argument("--one-at-a-time", type=int, default=16, help="prompts that the slow way is timed on")
    parser.add_argument("--min-new-tokens", type=int, nargs="+", default=[0, 1, 50], help="of the slow way: a row each")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[4, 16, 64], help="of lm-evaluation-harness")
    parser.add_argument("--check", type=int, default=16, help="questions that are scored in float32, too")
    arguments = parser.parse_args()
    spec = TaskSpec(
        name="hellaswag",
        data=arguments.data,
        weak_train=0,
        transfer=arguments.questions,
        test=0,
        num_variations=arguments.variations,
    )
    print(device_name())
    if arguments.mmlu:
        few_shot = replace(spec, name="mmlu", data=arguments.mmlu, weak_train=arguments.shots)
        compare_few_shot(arguments.model, few_shot, arguments.batch_sizes)
    elif arguments.only_few_shot:
        raise InputError("--only-few-shot: expected --mmlu with its files")
    if arguments.only_few_shot:
        return
    compare_labelling(arguments.model, spec, arguments.one_at_a_time, arguments.min_new_tokens)
    compare_scoring(arguments.model, spec, arguments.batch_sizes, arguments.check)


if __name__ == "__main__":
    run_script(main)
