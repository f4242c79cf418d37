"""Labelling multiple-choice questions: w2s against one prompt at a time, in one run, with the same model.

    python benchmarks/labelling.py [--task hellaswag --data FOLDER] [--model smollm2-135m] [--questions 64]

"One at a time" is the reference's way of working: each prompt is tokenized, sent through `generate` for 50 new
tokens, and the text is read. It is timed on a few prompts, since each costs seconds, and given as a rate.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

from w2s.config import AnsweringSpec, ModelSpec, TaskSpec
from w2s.models.prepared import PreparedModel
from w2s.store import Store, default_root
from w2s.supervisors.base import Asked
from w2s.supervisors.lm import LocalModel
from w2s.tasks import load_task, questions_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="geography")
    parser.add_argument("--data", default=None)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--variations", type=int, default=5)
    parser.add_argument("--one-at-a-time", type=int, default=8, help="prompts that the slow way is timed on")
    arguments = parser.parse_args()

    spec = TaskSpec(name=arguments.task, data=arguments.data, weak_train=0, transfer=arguments.questions, test=0)
    task = load_task(**vars(spec))
    questions = questions_of(task.splits().questions, "transfer")
    asked = [
        Asked(question, variation)
        for question in questions
        for variation in task.vary(question, arguments.variations, seed=0)
    ]
    store = Store(default_root())
    model = PreparedModel(ModelSpec(name=arguments.model))
    inputs = {name: store.run(step, print) for name, step in model.inputs.items()}
    with model.loaded(inputs, None, print) as lm:
        supervisor = LocalModel(lm, task, AnsweringSpec(mode="choose"), name=arguments.model)
        supervisor.plan(asked[:8])[0].answer()  # warm
        began = time.perf_counter()
        for batch in supervisor.plan(asked):
            batch.answer()
        fast = (time.perf_counter() - began) / len(asked)

        few = asked[:: max(1, len(asked) // arguments.one_at_a_time)][: arguments.one_at_a_time]
        began = time.perf_counter()
        for one in few:
            ids = lm.tokenizer(one.variation.prompt, return_tensors="pt").to(lm.device)
            with torch.no_grad():
                output = lm.model.generate(
                    **ids, max_new_tokens=50, min_new_tokens=50, do_sample=False, pad_token_id=lm.tokenizer.eos_token_id
                )
            task.read(lm.tokenizer.decode(output[0, ids["input_ids"].shape[1] :]), *one)
        slow = (time.perf_counter() - began) / len(few)
        tokens = sum(len(lm.tokenizer(one.variation.prompt)["input_ids"]) for one in asked) / len(asked)

    print(f"{task.name}: {len(questions)} questions, {arguments.variations} variations, {tokens:.0f} tokens a prompt")
    print(f"{'':18}{'prompts/s':>12}{'questions/s':>14}{'tokens/s':>12}")
    for name, seconds in (("w2s choose", fast), ("one at a time", slow)):
        rate = 1 / seconds
        print(f"{name:18}{rate:12.2f}{rate / arguments.variations:14.2f}{rate * tokens:12,.0f}")
    print(f"ratio {slow / fast:.0f}; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
