"""Random models of a few thousand weights in a real architecture each, with a real tokenizer.

Their weights are drawn wide, so that what a model says depends on all of what it read: with transformers' own
narrow start, a wrong mask or position would move the logits by less than any tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from w2s.config import ModelSpec
from w2s.engine.generate import generate_texts
from w2s.engine.trial import way_of
from w2s.models.load import LanguageModel, load_model

__all__ = [
    "SLIDING_WINDOW",
    "TINY",
    "load_tiny",
    "save_tiny_gemma",
    "save_tiny_llama",
    "save_tiny_qwen",
    "texts_after",
    "tiny_tokenizer",
]

SLIDING_WINDOW = 8  # tokens: shorter than any prompt of the tests that should notice

_TEXT = """\
Which country is the city of Lyon in? Options: Portugal, France, Norway, Chile. Answer: France.
Which country is the city of Bergen in? Options: Norway, Peru, Spain, Kenya. Answer: Norway.
The answer is acceptable. The answer is not acceptable. Question: what is 12 plus 30? Answer: 42.
"""

_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 300 tokens that puts `<s>` before a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_TEXT], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=512
    )
    fast.chat_template = _CHAT_TEMPLATE
    return fast


def save_tiny(folder: Path, build: Callable[[], PreTrainedModel]) -> Path:
    """A random model in float32, and its tokenizer, in a folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build().float()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # transformers starts them at zero, where a forgotten one is not noticed
                torch.nn.init.normal_(parameter, std=0.2)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def _common(tokenizer: PreTrainedTokenizerFast) -> dict[str, int | float | bool]:
    return {
        "vocab_size": 304,  # more than the tokenizer has: some architectures add a token of their own
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


def save_tiny_llama(folder: Path) -> Path:
    """Llama: its weights in float32 and its tokenizer, in a folder."""
    return save_tiny(
        folder, lambda: LlamaForCausalLM(LlamaConfig(**_common(tiny_tokenizer()), tie_word_embeddings=False))
    )


def save_tiny_qwen(folder: Path) -> Path:
    """Qwen2, whose attention has biases and whose head is its embedding."""
    return save_tiny(
        folder, lambda: Qwen2ForCausalLM(Qwen2Config(**_common(tiny_tokenizer()), tie_word_embeddings=True))
    )


def save_tiny_gemma(folder: Path) -> Path:
    """Gemma 3, with a layer that sees a window of `SLIDING_WINDOW` tokens and logits that are capped."""
    config = Gemma3TextConfig(
        **_common(tiny_tokenizer()),
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=SLIDING_WINDOW,
        layer_types=["sliding_attention", "full_attention"],
        final_logit_softcapping=10.0,
    )
    return save_tiny(folder, lambda: Gemma3ForCausalLM(config))


def load_tiny(folder: Path, *, dtype: Literal["float32", "bfloat16"] = "float32", chat: bool = False) -> LanguageModel:
    """A saved model in memory, on the CPU."""
    spec = ModelSpec(name=str(folder), device="cpu", dtype=dtype, chat_template=chat)
    lm = load_model(folder, spec)
    way_of(lm)  # tried here, so that whoever watches passes sees none but his own
    return lm


TINY: Mapping[str, Callable[[Path], Path]] = {
    "llama": save_tiny_llama,
    "qwen": save_tiny_qwen,
    "gemma": save_tiny_gemma,
}


def texts_after(lm: LanguageModel, prompts: Sequence[str], **settings: Any) -> list[str]:
    """What a model writes after each prompt, whether or not it is cut off."""
    return [written.text for written in generate_texts(lm, prompts, **settings)]
