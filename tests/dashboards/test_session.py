"""An open site remembers what it was asked, and not without end."""

from __future__ import annotations

from dashboards.session import KEPT_MOST, Session
from tests.twin.sites import small_site


def test_an_answer_is_remembered_and_the_one_not_asked_for_longest_is_forgotten() -> None:
    session = Session(small_site())
    made: list[int] = []

    def ask(key: int) -> int:
        return session._keep(key, lambda: made.append(key) or key)

    for key in range(KEPT_MOST):
        assert ask(key) == key
    assert ask(0) == 0
    assert made == list(range(KEPT_MOST))
    ask(KEPT_MOST)
    ask(0)
    assert made == list(range(KEPT_MOST + 1))
    ask(1)
    assert made[-1] == 1
    assert len(session._kept) == KEPT_MOST
    assert not session._making
