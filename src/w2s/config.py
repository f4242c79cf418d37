"""The settings of an experiment, as typed dataclasses; every option of the command line is one of these fields.

A field that may be `None` takes the task's own value there. Everything else is concrete, so that printing
an `Experiment` shows all that decides its outcome.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from w2s.errors import InputError
from w2s.tables import Unparsed

__all__ = [
    "DEFAULT_TASK",
    "EXECUTION_ONLY",
    "AnswerFormat",
    "AnsweringSpec",
    "Experiment",
    "LoraSpec",
    "Mode",
    "ModelSpec",
    "ParaphraseSpec",
    "ReliabilitySpec",
    "TaskSpec",
    "TrainingSpec",
    "Unparsed",
    "WeakSpec",
]

Mode = Literal["choose", "generate"]
AnswerFormat = Literal["letter", "text"]

DEFAULT_TASK = "word-language"
"""The task that needs no download and, of those that do not, leaves most to learn (docs/results.md)."""


def _check_range(
    settings: object, low: float, high: float, *names: str, above: bool = False, below: bool = False
) -> None:
    """Make sure that settings lie from `low` to `high`, or strictly above and below; None is none of them."""
    for name in names:
        value = getattr(settings, name)
        if value is None or ((value > low if above else value >= low) and (value < high if below else value <= high)):
            continue
        expected = f"{'above' if above else 'at least'} {low:g}"
        if high < math.inf:
            expected += f" and {'below' if below else 'at most'} {high:g}"
        raise InputError(f"{name} is {value!r}: expected {expected}")


@cache
def _limited(settings: type) -> Mapping[str, tuple[Any, ...]]:
    """The fields of settings that take certain values alone, and these; `bool` stands for true and false."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, kind in get_type_hints(settings).items():
        kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        if any(one is not bool and one is not type(None) and get_origin(one) is not Literal for one in kinds):
            continue
        if values := [value for one in kinds for value in (get_args(one) or (one,))]:
            found[name] = tuple(values)
    return found


def _check_values(settings: object) -> None:
    """Make sure that settings which take certain values have one of them, wherever they come from."""
    for name, allowed in _limited(cast(Hashable, type(settings))).items():
        value = getattr(settings, name)
        if (isinstance(value, bool) and bool in allowed) or (value is None and type(None) in allowed):
            continue
        texts = [one for one in allowed if isinstance(one, str)]
        if value not in texts:
            expected = f"one of {', '.join(texts)}" if texts else "true or false"
            near = difflib.get_close_matches(str(value), texts, n=1, cutoff=0.5)
            raise InputError(
                f"{name} is {value!r}: expected {expected}" + (f"; did you mean {near[0]!r}?" if near else "")
            )


@dataclass(kw_only=True)
class TaskSpec:
    """Which questions are asked, and how they are split and varied.

    Attributes:
        name: A task that `w2s tasks` lists.
        data: A file or folder in the data set's own form, or a hub id; by default the task's own source.
        encoding: Encoding of the text in `data` and `paraphrases`, such as windows-1252; by default UTF-8, or what a
            byte order mark says.
        weak_train: Questions that train the weak supervisor on ground truth, or "all" for what is left; by default
            those that your own file puts there, if it names a split for every question, else 100.
        transfer: Questions that the weak supervisor answers for the student, or "all"; by default likewise, else 300.
        test: Questions of the evaluation, or "all"; by default likewise, else 400.
        split_seed: Seed of the draw of the splits.
        num_variations: How many ways each question is asked; by default the task's own number.
        answer_format: Answer with the option's letter or its text; by default the task's own.
        templates: Prompts that replace the task's, by the names that `w2s tasks NAME` shows.
        paraphrases: A JSONL file of rewordings of the questions (`question`, `paraphrases`): w2s paraphrase makes one.
        missing_paraphrases: A question with fewer rewordings than it is asked in is refused ("refuse"), or is asked in
            the task's own other ways as well ("fill").
        answers: Free answers of task file are compared as "texts" (3.10 is not 3.1), or as "numbers" where they are.
        labels: All labels of task classification; by default those that its file has.
        near_duplicates: "drop" keeps one of the questions that are the same but for a few words; "keep" keeps them
            all, and warns where they are in different splits.
    """

    name: str = DEFAULT_TASK
    data: str | None = None
    encoding: str | None = None
    weak_train: int | Literal["all"] | None = None
    transfer: int | Literal["all"] | None = None
    test: int | Literal["all"] | None = None
    split_seed: int = 0
    num_variations: int | None = None
    answer_format: AnswerFormat | None = None
    templates: dict[str, str] = field(default_factory=dict)
    paraphrases: str | None = None
    missing_paraphrases: Literal["refuse", "fill"] = "refuse"
    answers: Literal["texts", "numbers"] = "texts"
    labels: list[str] = field(default_factory=list)
    near_duplicates: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        """Refuse what no task could use."""
        _check_values(self)


@dataclass(kw_only=True)
class ModelSpec:
    """A causal language model, and how it is held in memory.

    Attributes:
        name: A bundled name that `w2s models` lists, a hub id, a folder with safetensors, or a `.gguf` file.
        revision: A branch, tag or commit of a hub id.
        dtype: Type of the weights; "auto" is bfloat16 where the device is fast at it, float32 elsewhere.
        device: "auto" is the first of cuda, mps, cpu that is there; anything else must be there: cuda:1 is the second
            GPU.
        device_map: "auto" spreads a model that is too large for one GPU over all of them; "single" keeps it on one.
        quantization: "4bit" holds the weights of linear layers in 4 bits (NF4), frozen under an adapter; needs
            bitsandbytes.
        attention: transformers' attention implementation; "auto" is its own choice.
        chat_template: Put every prompt into the tokenizer's chat template, as a user's turn.
        trust_remote_code: Run the code that comes with a hub model. Off unless you know whose code it is.
    """

    name: str = "smollm2-135m"
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    device_map: Literal["single", "auto"] = "single"
    quantization: Literal["none", "4bit"] = "none"
    attention: str = "auto"
    chat_template: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse the name of no device; whether it is there is another question."""
        _check_values(self)
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise InputError(f"device is {self.device!r}: expected auto, cuda, cuda:1 (or another number), mps or cpu")
        if self.device_map == "auto" and self.device not in ("auto", "cuda"):
            raise InputError(
                f"device is {self.device!r} and device_map auto, which takes all GPUs: expected one of them"
            )


@dataclass(kw_only=True)
class WeakSpec(ModelSpec):
    """The weak supervisor: where its answers come from, and the model that gives them.

    Attributes:
        source: A source that `w2s sources` lists: `trained` on `weak_train`, `prompted` as it is, a `server`, …
        examples: Questions of `weak_train` that a prompted source is shown, with their answers, before each prompt.
        folds: Parts of `weak_train`, each answered by a model that learned from the others, where an estimator asks
            for such answers to calibrate itself.
        url: The address of a server's API, such as http://localhost:8000/v1; `name` is what it calls the model.
        key_env: The environment variable that holds the server's key.
        settings: Settings of the source itself: of a server, of people's tables, of a simulation, of a plug-in.
    """

    source: str = "trained"
    examples: int = 0
    folds: int = 5
    url: str | None = None
    key_env: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no source could use."""
        super().__post_init__()
        _check_range(self, 2, math.inf, "folds")


@dataclass(kw_only=True)
class ParaphraseSpec:
    """Rewordings of the questions, made by a model.

    Attributes:
        count: Rewordings of each question; 0 makes none.
        model: Who is asked: a model as it is (source prompted), or one behind a server.
        attempts: How often missing rewordings are asked for.
        sampling_temperature: Sampling temperature of the rewordings.
        max_new_tokens: Longest rewording, in tokens; one that is cut off is refused.
        shortest: A rewording has at least so many times the characters of the question.
        longest: A rewording has at most so many times the characters of the question.
        seed: Seed of the rewordings; another seed asks for others.
    """

    count: int = 0
    model: WeakSpec = field(default_factory=lambda: WeakSpec(source="prompted"))
    attempts: int = 3
    sampling_temperature: float = 0.7
    max_new_tokens: int = 200
    shortest: float = 0.5
    longest: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what could give no rewordings, or all of them the same."""
        _check_values(self)
        _check_range(self, 0, math.inf, "count")
        _check_range(self, 1, math.inf, "attempts", "max_new_tokens", "longest")
        _check_range(self, 0, math.inf, "sampling_temperature", above=True)
        _check_range(self, 0, 1, "shortest")


@dataclass(kw_only=True)
class LoraSpec:
    """Low-rank adapters (Hu et al., arXiv 2106.09685), as peft makes them.

    Attributes:
        rank: Rank of the update.
        alpha: The update is scaled by alpha / rank.
        dropout: Dropout probability on the adapter's input; costs time on a CPU.
        targets: "all-linear", or the ends of the names of the modules to adapt.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: str | list[str] = "all-linear"

    def __post_init__(self) -> None:
        """Refuse what no training could use, before one begins."""
        _check_range(self, 1, math.inf, "rank", "alpha")
        _check_range(self, 0, 1, "dropout", below=True)


@dataclass(kw_only=True)
class TrainingSpec:
    """LoRA fine-tuning on a training set.

    Attributes:
        epochs: Passes over the training set.
        batch_size: Examples of one optimizer step.
        micro_batch_size: Examples held in memory at once; by default as many as suit the device. Rounding and the
            draws of dropout apart, it does not change the outcome.
        learning_rate: The peak learning rate.
        order: What is shuffled in each epoch: "rows", or "questions", whose rows then follow each other, so that a
            batch holds fewer questions, and what variations of one begin with is computed once.
        schedule: How the learning rate falls.
        warmup_ratio: Share of the steps in which the learning rate rises.
        weight_decay: Weight decay of AdamW.
        max_grad_norm: Gradients are clipped to this norm.
        max_length: Longest example, in tokens. Longer prompts lose their beginning, never the completion; a message
            says how many.
        end_of_text: The completion ends with the end-of-text token, and the student learns to stop.
        loss: What is minimized, by the name of a registered loss.
        loss_settings: Settings of the loss that differ from its own.
        normalization: "weights" divides a batch's loss by the weights of its supervised tokens, or of its questions
            where the loss compares options; "paper" averages weight x loss over every position, prompt and padding
            included, or over the questions.
        gradient_checkpointing: Less memory for more time; a GPU on which one row does not fit turns to it by itself.
        compile: Let torch compile the model's layers, which needs a C++ compiler on a CPU. "auto" does where one is
            there and the run is long enough; rounding apart, it does not change the outcome.
        eval_fraction: Share of the questions that is held out and watched, never acted upon.
        checkpoints: How often in a run the state is saved, to go on from after a kill.
        lora: The adapter.
    """

    epochs: int = 2
    batch_size: int = 16
    micro_batch_size: int | None = None
    learning_rate: float = 5e-4
    order: Literal["rows", "questions"] = "rows"
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: float = 0.0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int = 512
    end_of_text: bool = True
    loss: str = "cross-entropy"
    loss_settings: dict[str, Any] = field(default_factory=dict)
    normalization: Literal["weights", "paper"] = "weights"
    gradient_checkpointing: bool = False
    compile: Literal["auto", "on", "off"] = "auto"
    eval_fraction: float = 0.0
    checkpoints: int = 4
    lora: LoraSpec = field(default_factory=LoraSpec)

    def __post_init__(self) -> None:
        """Refuse what no training could use, before one begins."""
        _check_values(self)
        _check_range(self, 1, math.inf, "epochs", "batch_size", "micro_batch_size", "max_length")
        _check_range(self, 0, math.inf, "learning_rate", "max_grad_norm", above=True)
        _check_range(self, 0, math.inf, "weight_decay", "checkpoints")
        _check_range(self, 0, 1, "warmup_ratio")
        _check_range(self, 0, 1, "eval_fraction", below=True)
        if self.micro_batch_size is not None and self.batch_size % min(self.micro_batch_size, self.batch_size):
            raise InputError(f"micro_batch_size {self.micro_batch_size} does not divide batch_size {self.batch_size}")


EXECUTION_ONLY = ("micro_batch_size", "gradient_checkpointing", "compile", "checkpoints")
"""Settings of how a training is computed: but for rounding and dropout's draws, they do not change what comes out."""


@dataclass(kw_only=True)
class AnsweringSpec:
    """How a model answers, as weak supervisor or in the evaluation.

    Attributes:
        mode: "choose" takes the likeliest option; "generate" writes text, which is then parsed. By default the
            task's own.
        max_new_tokens: Longest written answer, in tokens.
        sampling_temperature: 0 is greedy; above it, generated answers are sampled, and so are a server's letters.
        samples: Sampled answers to each variation.
        length_normalized: Options are compared by log-probability a token instead of in all.
        tokens_per_batch: Prompt tokens, padding included, that go through the model at once; by default what suits
            the device.
        orders: In how many orders of its options an evaluation asks each question. From 2 on, the options'
            log-probabilities are averaged over them, without what the position of an option adds.
        shard_size: Questions that one step asks at most. More are asked in several steps, which can be computed at the
            same time, and of which those stay that a larger split begins with.
    """

    mode: Mode | None = None
    max_new_tokens: int = 50
    sampling_temperature: float = 0.0
    samples: int = 1
    length_normalized: bool = False
    tokens_per_batch: int | None = None
    orders: int = 1
    shard_size: int = 5000

    def __post_init__(self) -> None:
        """Refuse what no model could answer with."""
        _check_values(self)
        _check_range(self, 1, math.inf, "max_new_tokens", "tokens_per_batch", "samples", "orders", "shard_size")
        _check_range(self, 0, math.inf, "sampling_temperature")
        if self.samples > 1 and not self.sampling_temperature:
            raise InputError(f"samples is {self.samples}: expected 1 where sampling_temperature is 0: all are the same")


@dataclass(kw_only=True)
class ReliabilitySpec:
    """How answers become trust.

    Attributes:
        estimator: An estimator that `w2s estimators` lists. A method may name another one for itself.
        temperature: Temperature of the votes estimator's softmax over vote shares; by default the task's own.
        unparsed: What becomes of an answer that cannot be parsed; by default the task's own.
        settings: Settings of any other estimator.
        compare: Other estimators that score the same answers, to be compared with that of the experiment where ground
            truth of transfer is known. No student learns from their scores.
    """

    estimator: str = "votes"
    temperature: float | None = None
    unparsed: Unparsed | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    compare: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what no score could use."""
        _check_values(self)
        _check_range(self, 0, math.inf, "temperature", above=True)


@dataclass(kw_only=True)
class Experiment:
    """One weak supervisor, one student, one task, and the methods to compare.

    Attributes:
        task: The questions. In Python an instance of a registered task class as well, whose settings are taken.
        weak: The weak supervisor, before its training.
        paraphrases: Rewordings of the questions that the supervisor answers, made in the run; task.paraphrases takes
            a file of them instead.
        strong: The student, before its training.
        methods: What to compare: names that `w2s methods` lists, or a mapping with settings, an estimator, and a
            label where the same method stands twice: `[naive, {method: filtering, quantile: 0.25, label: strict}]`.
            By default zero-shot-debiased, naive, filtering-sampled, reweighting-sampled, self, weak-gold and ceiling,
            without those that need options or ground truth of weak_train where there are none.
        compare: The one comparison that the run is about, named before it: two labels of methods, `[filtering, naive]`.
            Empty for none; by default the first method proper against the reference.
        seeds: One replicate each: variations, initial adapters and training order, of supervisor and students.
        split_per_seed: Draw the splits anew for each seed, with test splits that share no question while there are
            enough; by default all seeds share one draw, that of `task.split_seed`.
        weak_training: How the weak supervisor is trained on ground truth.
        student_training: How every student is trained, the ceiling among them.
        answering: How the weak supervisor answers.
        evaluation: How the models answer the test questions.
        reliability: How agreement becomes trust.
        plugins: Python files that register tasks, sources, estimators, methods or losses.
    """

    task: TaskSpec = field(default_factory=TaskSpec)
    weak: WeakSpec = field(default_factory=WeakSpec)
    paraphrases: ParaphraseSpec = field(default_factory=ParaphraseSpec)
    strong: ModelSpec = field(default_factory=lambda: ModelSpec(name="gemma3-270m"))
    methods: list[str | dict[str, Any]] | None = None
    compare: list[str] | None = None
    seeds: list[int] = field(default_factory=lambda: [0])
    split_per_seed: bool = False
    weak_training: TrainingSpec = field(default_factory=lambda: TrainingSpec(batch_size=8, learning_rate=2e-4))
    student_training: TrainingSpec = field(default_factory=TrainingSpec)
    answering: AnsweringSpec = field(default_factory=AnsweringSpec)
    evaluation: AnsweringSpec = field(default_factory=AnsweringSpec)
    reliability: ReliabilitySpec = field(default_factory=ReliabilitySpec)
    plugins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the settings of a task that is given itself, and refuse what no run could use.

        Raises:
            InputError: It is no task, or one that other processes could not make.
        """
        _check_values(self)
        given: Any = self.task
        if not isinstance(given, TaskSpec):
            as_spec = getattr(given, "as_spec", None)  # of a Task, which stands on a floor above
            if as_spec is None:
                expected = f"TaskSpec(name={given!r})" if isinstance(given, str) else "TaskSpec(...)"
                raise InputError(f"task is {given!r}: expected {expected}, or an instance of a task's class")
            self.task = as_spec()
