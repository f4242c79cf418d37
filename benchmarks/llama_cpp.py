"""Answering by letter: w2s against llama.cpp's server, on the same file of weights and the same cores.

    python benchmarks/llama_cpp.py --data HELLASWAG [--model smollm2-135m] [--questions 64]

The questions are HellaSwag's, each in five orders of its endings, answered by the likeliest letter. w2s turns the
weights of the GGUF file into floating-point numbers and reads prompts in batches, what the orders of a question share
once. llama.cpp computes with the quantized weights as they are; it is asked for one token after each prompt with the
log-probabilities of the likeliest 50, the prompts one after the other, so that it finds in its cache what a prompt has
in common with the one before, or several at once in slots of their own. Its best number of slots counts. Nothing goes
through a network: the server is called in its process.

Where no letter is among the 50, the answer counts as not read. The weights are the same; quantized products round.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from choose import WARM, Labelled, answer_by_option, ask, load_questions, share_right
from common import Side, device_name, in_own_process, print_table, run_script

from w2s.config import ModelSpec, TaskSpec
from w2s.models.source import resolve
from w2s.supervisors.base import Prompt

LIKELIEST = 50


def answer_by_llama_cpp(model: str, spec: TaskSpec, slots: int) -> Labelled:
    """llama.cpp: one token after each prompt, and the letter that is likeliest in its place."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    # A slot has room for a prompt.
    params.model.path, params.n_ctx, params.n_parallel = (
        str(resolve(ModelSpec(name=model)).gguf[0]),
        2048 * slots,
        slots,
    )
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
    with _silent():
        server = xllamacpp.Server(params)
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)

    def answered(one: Prompt) -> tuple[str | None, int]:
        return _answered(server, one)

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(answered, asked[-WARM:]))
        with _silent():
            began = time.perf_counter()
            found = list(pool.map(answered, asked))
            seconds = time.perf_counter() - began
    answers, tokens = zip(*found, strict=True)
    return Labelled("llama.cpp", seconds, list(answers), sum(tokens))


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing goes to standard error, where the server tells of each request, not by way of Python."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _answered(server: Any, one: Prompt) -> tuple[str | None, int]:
    """The answer to a prompt, and how many tokens the prompt has."""
    reply = server.handle_completions(
        {
            "prompt": one.variation.prompt,
            "max_tokens": 1,
            "logprobs": LIKELIEST,
            "temperature": 0.0,
            "cache_prompt": True,
        }
    )
    likeliest = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    logprob = {token["token"].strip(): token["logprob"] for token in reversed(likeliest)}
    letters = [completion.strip() for completion in one.variation.completions]
    known = [(logprob[letter], place) for place, letter in enumerate(letters) if letter in logprob]
    answer = one.question.choices[max(known)[1]] if known else None
    return answer, int(reply["usage"]["prompt_tokens"])


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="HellaSwag's files, or a folder of them; by default the hub's")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args(words)
    spec = TaskSpec(
        name="hellaswag", data=arguments.data, weak_train=0, transfer=arguments.questions, test=0, num_variations=5
    )
    _, _, right = load_questions(spec)
    gold = [answer for answer in right for _ in range(spec.num_variations or 1)]
    ours = in_own_process(answer_by_option, model=arguments.model, spec=spec, shares=True)
    theirs = {
        f"llama.cpp, {slots} slots" if slots > 1 else "llama.cpp, 1 slot": in_own_process(
            answer_by_llama_cpp, model=arguments.model, spec=spec, slots=slots
        )
        for slots in arguments.slots
    }
    best = max(theirs, key=lambda name: _rate(theirs[name]))
    print_table(
        f"{arguments.questions} HellaSwag questions in 5 orders, by letter; {ours.value.model}; {device_name()}",
        ["", "s", "prompts/s", "prompt tokens/s", "accuracy", "peak GB"],
        [_row(name, side, gold) for name, side in {"w2s": ours, **theirs}.items()],
    )
    read = [(a, b) for a, b in zip(ours.value.answers, theirs[best].value.answers, strict=True) if b is not None]
    print(
        f"ratio {_rate(ours) / _rate(theirs[best]):.2f} against {best}; {len(read)} of {len(gold)} of its answers can "
        f"be read, {sum(a == b for a, b in read)} of them are those of w2s"
    )


def _rate(side: Side) -> float:
    """Prompts a second."""
    return len(side.value.answers) / float(side.value.seconds)


def _row(name: str, side: Side, gold: Sequence[str | None]) -> list[str]:
    labelled: Labelled = side.value
    return [
        name,
        f"{labelled.seconds:.1f}",
        f"{_rate(side):.2f}",
        f"{labelled.prompt_tokens / labelled.seconds:,.0f}",
        f"{share_right(labelled.answers, gold):.3f}",
        f"{side.peak_gb:.2f}",
    ]


if __name__ == "__main__":
    run_script(main)
