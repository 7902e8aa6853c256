"""Equal questions are asked once, from any thread, and memory stays bounded."""

from __future__ import annotations

import threading

from filters.final_answers.answer_cache import AnswerCache


def test_each_question_is_judged_once_and_answers_keep_their_order() -> None:
    asked: list[int] = []
    cache: AnswerCache[int, int] = AnswerCache()

    def square(questions: list[int]) -> list[int]:
        asked.extend(questions)
        return [question**2 for question in questions]

    assert cache.ask([3, 1, 3, 2], square) == [9, 1, 9, 4]
    assert cache.ask([2, 5], square) == [4, 25]
    assert asked == [3, 1, 2, 5]


def test_switched_off_it_asks_every_time() -> None:
    asked: list[int] = []
    cache: AnswerCache[int, int] = AnswerCache()

    def same(questions: list[int]) -> list[int]:
        asked.extend(questions)
        return questions

    with cache.off():
        assert cache.ask([1, 1], same) == [1, 1]
    assert asked == [1, 1]
    assert cache.used


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    cache: AnswerCache[int, int] = AnswerCache(at_most=10)
    for start in range(0, 100, 5):
        cache.ask(list(range(start, start + 5)), lambda questions: questions)
    assert len(cache._known) <= 10
    assert cache.ask([99], lambda _: [-1]) == [99]
    assert cache.ask([0], lambda _: [-1]) == [-1]


def test_threads_share_it() -> None:
    cache: AnswerCache[int, int] = AnswerCache(at_most=50)
    wrong: list[int] = []

    def work() -> None:
        for start in range(200):
            found = cache.ask([start % 70, start % 11], lambda questions: [question + 1 for question in questions])
            wrong.extend(start for a, b in zip(found, (start % 70, start % 11), strict=True) if a != b + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
