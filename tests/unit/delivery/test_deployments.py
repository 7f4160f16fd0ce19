"""Which promotions are deployments, which of them failed, and when that was over; every number is by hand."""

from tests.unit.delivery.books import Book

from sluice.delivery.deployments import Deployment, deployments


def told(book: Book) -> list[tuple[str, str, float | None, float | None]]:
    """Release, outcome, since when it failed, and how long until something was verified."""
    return [
        (one.release_id.removeprefix("id-"), one.outcome, one.failed_at, one.recovery_seconds)
        for one in deployments(book.entries)
    ]


def test_nothing_was_ever_promoted() -> None:
    assert deployments(()) == ()


def test_one_that_was_verified() -> None:
    (one,) = deployments(Book().had("A", 1000.0).entries)
    assert one == Deployment("p1", "sha256:A", "id-A", began=1060.0, ended=1180.0, outcome="verified")
    assert not one.failed
    assert one.recovery_seconds is None


def test_each_knows_what_stood_before_it() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).had("C", 2000.0)
    assert [one.before for one in deployments(book.entries)] == ["", "sha256:A", "sha256:B"]


def test_what_failed_while_images_were_copied_changed_nothing() -> None:
    assert told(Book().had("A", 0.0).had("B", 1000.0, "planned", "failed")) == [("A", "verified", None, None)]


def test_what_was_undone_before_its_images_were_copied_is_none_either() -> None:
    assert told(Book().had("A", 0.0).had("B", 1000.0, "planned", "rolled-back")) == [("A", "verified", None, None)]


def test_one_that_went_back_by_itself_recovered_from_where_charts_began_to_change() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0, "planned", "copied", "deployed", "rolled-back")
    assert told(book)[1] == ("B", "rolled-back", 1060.0, 120.0)  # copied at 1060, back at 1180


def test_one_that_never_got_deployed_and_went_back_failed_too() -> None:
    assert told(Book().had("A", 0.0).had("B", 1000.0, "planned", "copied", "rolled-back"))[1] == (
        "B", "rolled-back", 1060.0, 60.0,
    )  # fmt: skip


def test_a_first_one_that_failed_is_over_when_a_later_one_is_verified() -> None:
    failed = Book().had("A", 0.0, "planned", "copied", "failed")
    assert told(failed) == [("A", "failed", 60.0, None)]
    assert told(failed.had("B", 1000.0)) == [("A", "failed", 60.0, 1120.0), ("B", "verified", None, None)]


def test_one_that_was_killed_is_none_yet() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0, "planned", "copied", "deployed")
    assert told(book) == [("A", "verified", None, None)]


def test_one_that_was_killed_and_finished_days_later_is_one() -> None:
    book = Book().had("A", 0.0, "planned", "copied").had("A", 500_000.0, "deployed", "verified", promotion="p1")
    (one,) = deployments(book.entries)
    assert (one.began, one.ended, one.failed) == (60.0, 500_060.0, False)


def test_one_that_was_killed_and_undone_failed() -> None:
    """The entry that ends it is written by `rollback`, and it is no rollback."""
    book = Book().had("A", 0.0).had("B", 1000.0, "planned", "copied")
    book.had("B", 9000.0, "rolled-back", why="rollback", promotion="p2")
    assert told(book)[1] == ("B", "rolled-back", 1060.0, 7940.0)


def test_a_rollback_is_no_deployment_and_the_failure_of_the_one_it_leaves() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).back("A", 90_000.0)
    assert told(book) == [("A", "verified", None, None), ("B", "verified", 90_000.0, 180.0)]
    assert deployments(book.entries)[1].by_hand


def test_a_chain_of_rollbacks_blames_each_once() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).had("C", 2000.0).back("B", 3000.0).back("A", 4000.0)
    assert told(book) == [
        ("A", "verified", None, None),
        ("B", "verified", 4000.0, 180.0),
        ("C", "verified", 3000.0, 180.0),
    ]


def test_a_rollback_that_failed_leaves_it_failed_until_something_is_verified() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).back("A", 3000.0, "planned", "copied", "failed")
    assert told(book)[1] == ("B", "verified", 3000.0, None)
    assert told(book.had("C", 5000.0))[1] == ("B", "verified", 3000.0, 2180.0)


def test_a_second_try_of_a_rollback_counts_from_the_first() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).back("A", 3000.0, "planned", "failed").back("A", 4000.0)
    assert told(book)[1] == ("B", "verified", 3000.0, 1180.0)


def test_the_same_release_once_more_is_a_deployment_and_blamed_by_itself() -> None:
    book = Book().had("A", 0.0).had("B", 1000.0).back("A", 2000.0).had("B", 3000.0).back("A", 4000.0)
    assert [one for one in told(book) if one[0] == "B"] == [
        ("B", "verified", 2000.0, 180.0),
        ("B", "verified", 4000.0, 180.0),
    ]


def test_to_put_the_standing_release_there_again_by_rollback_blames_nobody() -> None:
    assert told(Book().had("A", 0.0).back("A", 1000.0)) == [("A", "verified", None, None)]
