"""Waiting for what must become true, with a deadline and a sentence."""
import time


class TimedOut(AssertionError):
    pass


def wait_for(predicate, timeout=5.0, message="", interval=0.01):
    """Returns the first true value of predicate(); TimedOut with `message` after `timeout` s.

    An AssertionError inside the predicate counts as "not yet" and is told at the end; so does a path,
    a row or a key of it that is not there yet.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = predicate()
            if last:
                return last
        except (AssertionError, AttributeError, LookupError, TypeError) as error:
            last = error
        if time.monotonic() > deadline:
            text = message() if callable(message) else message
            raise TimedOut(f"{text or 'it'}: not within {timeout:g} s; last seen: {last!r}")
        time.sleep(interval)


def stays(predicate, seconds, message=""):
    """The opposite: predicate() must hold all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert predicate(), message
        time.sleep(0.01)
