"""What each step of a graph does with a model: from its settings, the questions at hand, and the sizes of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from w2s.forecast.prompts import TokenCounts, sample_of
from w2s.forecast.rehearsal import Rehearsed, rehearse
from w2s.forecast.work import Work, adapter_parameters
from w2s.models.parameters import ModelSize, size_of
from w2s.models.source import cached_folder
from w2s.pipeline.graph import Graph
from w2s.step import Step
from w2s.supervisors import SOURCES
from w2s.tasks import Question, Task, questions_of

__all__ = ["KnownModel", "StepWork"]

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FOUR_BITS = 4.127 / 8  # bytes of a weight in 4 bits and its share of the scales: QLoRA, arXiv 2305.14314
_ROW = 40  # bytes that an answer takes in a table, besides its question's text
_TOKENIZER = 10_000_000  # bytes, beside each adapter: from 2 MB (Llama 2) to 33 MB (Gemma 3)
_TEXT = 0.5  # of a text's characters, packed


class KnownModel(NamedTuple):
    """A model of the steps, as far as it is known before it is loaded; `here`: its files are on this machine."""

    name: str
    dtype: str
    device: str
    size: ModelSize | None
    quantized: bool = False
    here: bool = True


class _Questions(NamedTuple):
    """The questions of a split, and the share of them that a step is about."""

    task: Task
    questions: Sequence[Question]
    rewordings: int = 0
    share: float = 1.0

    @property
    def number(self) -> float:
        return len(self.questions) * self.share


class StepWork:
    """Says what steps do.

    Args:
        graphs: That lay them.

    Attributes:
        models: Those that were asked about, by what a step calls them.
    """

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self.models: dict[tuple[str, ...], KnownModel] = {}
        self._questions: dict[str, _Questions] = {}
        self._asked: dict[tuple[Any, ...], TokenCounts] = {}
        # Cells of the same questions share what lays them: each is read once.
        lays = {run.lay: graph.experiment.paraphrases.count for graph in graphs for run in graph.seed_runs}
        for lay, rewordings in lays.items():
            shares = lay.shares()
            rows = {split: questions_of(lay.splits.questions, split) for split in {one for one, _ in shares.values()}}
            for key, (split, number) in shares.items():
                known = _Questions(lay.task, rows[split], rewordings, number / max(1, len(rows[split])))
                self._questions.setdefault(key, known)

    def of(self, step: Step) -> Work:
        """The work of a step; "unknown" where its model's size is, or where somebody else does it."""
        match step.kind:
            case "model":
                return self._converts(step)
            case "answers" | "predictions":
                return self._answers(step)
            case "training":
                return self._trains(step)
            case "paraphrases":
                return self._rewords(step)
            case "asked":
                instant = SOURCES.find(str(step.settings["source"])).instant
                does: Literal["nothing", "unknown"] = "nothing" if instant else "unknown"
                return Work(does=does, rows=self._table_rows(step), bytes=self._table(step))
            case "questions" | "gold" | "scored" | "joined" | "judged" | "training-set":
                return Work(rows=self._table_rows(step), bytes=self._table(step))
            case _:
                return Work()

    def model_of(self, step: Step) -> KnownModel | None:
        """The model that a step works with."""
        settings: Any = step.settings.get("model")
        if settings is None:
            return None
        execution: Any = step.execution["model"]
        quantized = "quantization" in settings
        key = (str(settings["identity"]), str(settings["dtype"]), str(quantized))
        if key not in self.models:
            name = execution["spec"]["name"]
            spec = execution["spec"]
            device = "all GPUs" if spec.get("device_map") == "auto" else str(spec["device"])
            folder = _folder(name, execution)
            conversion = step.inputs.get("model")
            size = size_of(name, gguf=_parts(conversion)) if conversion else size_of(name, folder=folder)
            here = conversion is not None or folder is not None
            self.models[key] = KnownModel(name, key[1], device, size, quantized=quantized, here=here)
        return self.models[key]

    def _converts(self, step: Step) -> Work:
        size = size_of(step.label, gguf=_parts(step))
        return Work(does="converts", layers=size.total, bytes=2 * size.total) if size else Work(does="unknown")

    def _with_model(self, step: Step, **more: Any) -> Work:
        model = self.model_of(step)
        if model is None or model.size is None:
            return Work(does="unknown", model=model.name if model else "")
        size, number = model.size, _BYTES[model.dtype]
        depth, width = _shape(size)
        weights = float(size.total * number)
        if model.quantized:
            weights -= size.layers * (number - _FOUR_BITS)
        work = {"layers": size.layers, "head": size.head, "weights": weights, "depth": depth}
        called = f"{model.name} {model.dtype}{' 4bit' if model.quantized else ''}"
        return Work(**{**work, "model": called, "width": width, "number": number, **more})

    def _answers(self, step: Step) -> Work:
        settings: Any = step.settings
        asked, known = self._asking(step)
        if settings["answering"]["mode"] == "choose":
            return self._with_model(
                step,
                does="answers",
                rows=known.number * _ways(step),
                tokens=known.number * asked.tree,
                read=known.number * asked.options,
                bytes=self._table(step),
                at_most="without" in step.inputs,
            )
        rows = known.number * _ways(step)
        return self._with_model(
            step,
            does="answers",
            rows=rows,
            tokens=known.number * asked.prompts * settings["answering"].get("samples", 1),
            written=rows * settings["answering"]["max_new_tokens"],
            bytes=self._table(step),
            at_most=True,
        )

    def _rewords(self, step: Step) -> Work:
        """Each rewording is asked for once: another try is only made of what was not a rewording."""
        if step.settings.get("model") is None:
            return Work(does="unknown", bytes=self._table(step))
        asked: Any = step.settings["asked"]
        rules: Any = step.settings["rules"]
        known = self._below(step)
        rows = known.number * rules["count"]
        each = self._sample(known, 1, 0).prompt
        written = rows * asked["max_new_tokens"]
        return self._with_model(
            step, does="answers", rows=rows, tokens=rows * each, written=written, bytes=self._table(step)
        )

    def _trains(self, step: Step) -> Work:
        training: Any = step.settings["training"]
        training_set = step.inputs["training_set"]
        rows, prompts, at_most = self._rows(training_set)
        known = self._below(training_set)
        asked = self._sample(known, 1, 0)
        learned = asked.completion + training["end_of_text"]
        # Options of one question stand behind one prompt, and a last token is predicted, not read.
        tokens = prompts * (min(training["max_length"], asked.prompt + learned) - 1) + (rows - prompts) * (learned - 1)
        model = self.model_of(step)
        trained = 0.0
        if model is not None and model.size is not None:
            depth, width = _shape(model.size)
            targets = training["lora"]["targets"]
            adapted = len(targets) if isinstance(targets, list) else None if targets == "all-linear" else 1
            trained = adapter_parameters(training["lora"]["rank"], adapted, depth=depth, width=width)
        return self._with_model(
            step,
            does="trains",
            rows=rows,
            tokens=tokens * training["epochs"],
            read=rows * learned * training["epochs"],
            trained=trained,
            bytes=4 * trained + _TOKENIZER,
            at_most=at_most,
        )

    def _rows(self, training_set: Step) -> Rehearsed:
        """The rows of a training set."""
        settings: Any = training_set.settings
        inputs = training_set.inputs
        answers = max((_ways(step) for step in inputs.values()), default=1)
        kinds = {name: step.kind for name, step in inputs.items()}
        kept = rehearse(settings["method"], settings["selector"], settings["settings"], kinds, answers)
        number = self._below(training_set).number
        return Rehearsed(kept.rows * number, kept.prompts * number, kept.at_most)

    def _asking(self, step: Step) -> tuple[TokenCounts, _Questions]:
        settings: Any = step.settings
        known = self._below(step)
        ways = settings.get("num_variations", settings.get("orders", 1))
        return self._sample(known, ways, settings.get("seed", 0), self._before(step)), known

    def _before(self, step: Step) -> str:
        """What stands before each prompt of a supervisor that is shown examples."""
        count = int(str(step.settings.get("examples", 0)))
        if not count:
            return ""
        known = self._below(step.inputs["examples"])
        return "".join(f"{known.task.vary(one, 1, 0)[0].prompt} A\n\n" for one in known.questions[:count])

    def _sample(self, known: _Questions, ways: int, seed: int, before: str = "") -> TokenCounts:
        key = (id(known.questions), ways, seed, before, known.rewordings)
        if key not in self._asked:
            self._asked[key] = sample_of(
                known.task,
                known.questions,
                num_variations=ways,
                seed=seed,
                before=before,
                rewordings=known.rewordings,
            )
        return self._asked[key]

    def _below(self, step: Step) -> _Questions:
        """The questions that a step is about: those that the steps before it came from."""
        if step.key in self._questions:
            return self._questions[step.key]
        first = next((one for name, one in step.inputs.items() if name not in ("model", "adapter", "init")), None)
        if first is None:
            raise AssertionError(f"step {step.label!r} is about no questions")
        known = self._below(first)
        if first.kind == "fold":  # its questions are asked; its ground truth is that of the others
            inside, outside = _shares_of(first, len(known.questions))
            known = known._replace(share=inside if step.kind in ("answers", "predictions", "asked") else outside)
        elif "part-1" in step.inputs and not step.settings.get("supervisors"):  # parts of the questions, or all of them
            parts = [self._below(one).share for name, one in step.inputs.items() if name.startswith("part-")]
            known = known._replace(share=min(1.0, sum(parts)))
        self._questions[step.key] = known
        return known

    def _table(self, step: Step) -> float:
        """Bytes of a step's table."""
        known = self._below(step)
        characters = self._sample(known, 1, 0).characters
        return self._table_rows(step) * _ROW + known.number * characters * _TEXT

    def _table_rows(self, step: Step) -> float:
        """Rows of a step's table."""
        return self._rows(step).rows if step.kind == "training-set" else self._below(step).number * _ways(step)


def _shares_of(fold: Step, number: int) -> tuple[float, float]:
    """Of so many questions the share that a fold or a shard of it asks, and that outside the fold."""
    share = 1 / int(str(fold.settings["folds"]))
    rows: Any = fold.settings.get("rows")
    return (rows[1] - rows[0]) / max(1, number) if rows else share, 1 - share


def _ways(step: Step) -> int:
    """How many answers to each question a step has."""
    settings: Any = step.settings
    match step.kind:
        case "answers" | "asked" | "predictions":
            samples = settings.get("answering", {}).get("samples", 1)
            return int(settings.get("num_variations", settings.get("orders", 1)) * samples)
        case "joined":
            ways = [_ways(part) for part in step.inputs.values()]
            return sum(ways) if settings["supervisors"] else max(ways)
        case "scored":
            return _ways(step.inputs["answers"])
        case _:
            return 1


def _shape(size: ModelSize) -> tuple[int, int]:
    """Depth and width: those known, or those that a usual model of the size has, 128 numbers a head and layer."""
    if size.depth and size.width:
        return size.depth, size.width
    width = round((size.layers * 128 / 12) ** (1 / 3))  # 12 width² parameters a layer, width / 128 layers
    return max(1, width // 128), width


def _folder(name: str, execution: Mapping[str, Any]) -> Path | None:
    """Where a model's files are on this machine."""
    location = Path(str(execution["location"]))
    return location if location.is_dir() else cached_folder(name, execution["revision"])


def _parts(conversion: Step) -> list[Path]:
    parts: Any = conversion.execution["parts"]
    return [Path(part) for part in parts]
