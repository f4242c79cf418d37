"""How many tokens questions come to: by hand, and laws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from w2s.config import TaskSpec
from w2s.forecast.prompts import sample_of, tokens_in, tree_tokens
from w2s.tasks import Variation, questions_of, task_from


def way(prompt: str, *options: str) -> Variation:
    return Variation(question_id="q", variation=0, prompt=prompt, completions=options)


def test_words_digits_marks_and_lines_are_tokens() -> None:
    assert tokens_in("Which city is it?\n") == 6
    assert tokens_in("encyclopedia") == 2, "a token for each seven letters begun"
    assert tokens_in("1984") == 4
    assert tokens_in("東京都") == 2, "two letters, where they are not in ASCII"
    assert tokens_in("") == tokens_in("   ") == 0


@given(st.text(), st.text())
def test_two_lines_have_the_tokens_of_both(one: str, other: str) -> None:
    assert tokens_in(f"{one} {other}") == tokens_in(one) + tokens_in(other)


def test_options_of_one_token_are_no_inputs_and_longer_ones_all_but_their_last() -> None:
    assert tree_tokens([way("a b c", " A", " B")]) == 3
    assert tree_tokens([way("a b c", " x y", " x y z")]) == 3 + 1 + 2


def test_what_variations_share_counts_once_where_it_is_much() -> None:
    much = [way("a b c d e f g h x"), way("a b c d e f g h y"), way("a b c d e f g h z")]
    assert tree_tokens(much) == 9 + 1 + 1
    little = [way("a b c d e f"), way("a x y z v w")]
    assert tree_tokens(little) == 12
    assert tree_tokens(little, before="1 2 3 4 5 6 7 8 ") == 14 + 5, "examples are shared"


@given(st.lists(st.text(st.sampled_from("ab c\n"), max_size=30), min_size=1, max_size=5))
def test_a_tree_is_never_larger_than_its_prompts_apart(prompts: list[str]) -> None:
    assert tree_tokens([way(prompt) for prompt in prompts]) <= sum(map(tokens_in, prompts))


def test_more_variations_are_more_tokens_and_the_same_question_once_is_a_prompt() -> None:
    task = task_from(TaskSpec(weak_train=4, transfer=8, test=4))
    questions = questions_of(task.splits().questions, "transfer")
    one, five = (sample_of(task, questions, num_variations=count, seed=0) for count in (1, 5))
    assert one.prompt == one.prompts == one.prompts and five.prompts > five.tree > one.tree
    assert one.prompt > 15 and 1 <= one.completion < 5
    assert sample_of(task, [], num_variations=1, seed=0).prompts == 0
