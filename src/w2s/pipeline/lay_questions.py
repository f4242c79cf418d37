"""How questions and ground truth are laid, each split known by its content: whole, in shards, in folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from w2s.pipeline.lay_paraphrases import Reworded
from w2s.pipeline.shards import Shard, shards_of
from w2s.pipeline.steps import KINDS
from w2s.pipeline.task_rows import content_of, execution_of_task
from w2s.step import Json, Step
from w2s.tasks import TASKS, Draw, Splits, Task, parsing

__all__ = ["LayQuestions"]


class LayQuestions:
    """Lays the questions and the ground truth of one task, whole and in shards.

    Args:
        task: The task.
        splits: Its questions and their answers.
        plugins: Files that the steps may need.
        draw: The draw of the splits, where each seed has its own.
        reworded: Lays the paraphrases of a split's questions, where they are made.
    """

    def __init__(
        self,
        task: Task,
        splits: Splits,
        plugins: Mapping[str, str] | None = None,
        *,
        draw: Draw | None = None,
        reworded: Reworded | None = None,
    ) -> None:
        self.task = task
        self.splits = splits
        self._draw = draw
        self._reworded = reworded
        self._plugins: dict[str, Json] = {"plugins": dict(plugins)} if plugins else {}
        self._asking: dict[str, Json] = task.asking()
        self._questions: dict[tuple[str, Shard | None], Step] = {}
        self._rows_of: dict[str, pa.Table] = {}
        self._ids: dict[str, list[str]] = {}
        self._gold: dict[str, Step] = {}

    def _step(
        self,
        kind: str,
        label: str,
        settings: Mapping[str, Json],
        inputs: Mapping[str, Step],
        versions: Mapping[str, int | str] | None = None,
        execution: Mapping[str, Json] | None = None,
    ) -> Step:
        return Step(
            kind=kind,
            label=label,
            settings=settings,
            inputs=inputs,
            versions={kind: KINDS[kind].version, **(versions or {})},
            execution={**(execution or {}), **self._plugins},
        )

    def _task_version(self, *, parsed: bool = False) -> dict[str, int | str]:
        """The version of the task, and where options are parsed from text, that of parsing."""
        versions: dict[str, int | str] = {f"task {self.task.name}": TASKS.version(self.task.name)}
        if parsed and "choose" in self.task.modes:
            versions["parsing"] = parsing.VERSION
        return versions

    # Questions and ground truth: each split is known by its content, so how many the others have is nothing to it.

    def questions(self, split: str, shard: Shard | None = None) -> Step:
        """The questions of a split, or of one of its shards, which is known by its own content as well."""
        shard = None if shard is None or shard.whole else shard
        if (split, shard) not in self._questions:  # many steps read them, and their hash takes its time
            self._questions[split, shard] = self._questions_step(split, shard)
        return self._questions[split, shard]

    def _questions_step(self, split: str, shard: Shard | None) -> Step:
        rows, label, place = self._rows(split), f"questions of {split}{self._whose}", {}
        if shard is not None:
            rows, label, place = rows.slice(shard.start, shard.stop - shard.start), shard.label(label), shard.rows
        settings: dict[str, Json] = {"split": split, "rows": content_of(rows)}
        return self._step("questions", label, settings, {}, execution={**self._from, **place})

    def shares(self) -> dict[str, tuple[str, int]]:
        """Of every step of questions that was laid, by its key: which split they are of, and how many."""
        return {
            step.key: (split, len(self.question_ids(split)) if shard is None else shard.stop - shard.start)
            for (split, shard), step in self._questions.items()
        }

    def varied(self, split: str, shard: Shard | None = None) -> Step:
        """The questions of a split that are asked in several ways, with their paraphrases where these are made."""
        questions = self.questions(split, shard)
        return self._reworded(questions, split) if self._reworded and split != "test" else questions

    def shards(self, split: str, size: int) -> list[Shard]:
        """What of a split each step asks."""
        return shards_of(len(self.question_ids(split)), size)

    def question_ids(self, split: str) -> list[str]:
        """The questions of a split."""
        if split not in self._ids:
            self._ids[split] = self._rows(split)["question_id"].to_pylist()
        return self._ids[split]

    def _rows(self, split: str) -> pa.Table:
        if split not in self._rows_of:
            questions = self.splits.questions
            self._rows_of[split] = questions.filter(pc.equal(questions["split"], split))
        return self._rows_of[split]

    def gold(self, split: str) -> Step:
        """Ground truth of a split, as answers. A step of its own, so that who reads it shows in the graph."""
        if split not in self._gold:
            self._gold[split] = self._gold_step(split)
        return self._gold[split]

    def _gold_step(self, split: str) -> Step:
        rows = self.splits.gold.filter(pc.equal(self.splits.gold["split"], split))
        return self._step(
            "gold",
            f"ground truth of {split}{self._whose}",
            {"split": split, "asking": self._asking, "rows": content_of(rows)},
            {"questions": self.questions(split)},
            self._task_version(),
            self._from,
        )

    @property
    def _whose(self) -> str:
        return f" · seed {self._draw.seed}" if self._draw else ""

    @cached_property
    def _from(self) -> dict[str, Json]:
        """Where the rows of a split are read from."""
        draw: dict[str, Json] = {"draw": self._draw._asdict()} if self._draw else {}
        return {"task": execution_of_task(self.task.spec), **draw}

    # Parts of a split

    def asked_questions(self, split: str, size: int, fold: Step | None) -> list[tuple[Shard, Step]]:
        """The shards of a split or a fold, and the questions of each."""
        if fold is None:
            return [(shard, self.varied(split, shard)) for shard in self.shards(split, size)]
        count, folds = len(self.question_ids(split)), int(str(fold.settings["folds"]))
        shards = shards_of(len(range(int(str(fold.settings["fold"])), count, folds)), size)
        return [(shard, fold if shard.whole else self._part_of(fold, shard)) for shard in shards]

    def _part_of(self, fold: Step, shard: Shard) -> Step:
        return self._step("fold", shard.label(fold.label), {**fold.settings, **shard.rows}, fold.inputs)

    def folds(self, count: int, seed: int, split: str = "weak_train") -> list[Step]:
        """A split in folds: the questions of each, and of `weak_train` ground truth of the questions outside it."""
        inputs = {"questions": self.varied(split)}
        if split == "weak_train":
            inputs["gold"] = self.gold(split)
        label = f"of {count} of {split} · seed {seed}"
        return [
            self._step("fold", f"fold {fold + 1} {label}", {"fold": fold, "folds": count, "seed": seed}, inputs)
            for fold in range(count)
        ]

    def most_orders(self, split: str) -> int:
        """In how many orders of its options each question of a split can be asked: 1 where it has none."""
        return math.factorial(self._fewest_options(split))

    def _fewest_options(self, split: str) -> int:
        sizes = pc.fill_null(pc.list_value_length(self._rows(split)["choices"]), 0)
        return int(pc.min(sizes).as_py() or 0)
