"""A student in plain transformers and peft, without w2s.

Run as, after `w2s export runs/quickstart --method naive --out student`:

    python examples/student.py student --base path/to/base --prompt "..."

and after `w2s export runs/quickstart --method naive --merge --out model`:

    python examples/student.py model --prompt "..."

`--base` is the base model's folder; it can be left out where the adapter names a hub id. A student expects the prompt
that it was trained on, word for word: `w2s tasks NAME` shows it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel


def load(folder: Path, base: str | None) -> PreTrainedModel | PeftModel:
    """The merged model of a folder, or its adapter on the base model."""
    config = folder / "adapter_config.json"
    if not config.is_file():
        return AutoModelForCausalLM.from_pretrained(folder).eval()
    named = json.loads(config.read_text())
    revision = None if base else named.get("revision")
    model = AutoModelForCausalLM.from_pretrained(base or named["base_model_name_or_path"], revision=revision)
    return PeftModel.from_pretrained(model, str(folder)).eval()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base")
    parser.add_argument("--prompt", required=True)
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.folder)
    model = load(arguments.folder, arguments.base)
    inputs = tokenizer(arguments.prompt, return_tensors="pt")
    with torch.no_grad():
        written = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    print(tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip())


if __name__ == "__main__":
    main()
