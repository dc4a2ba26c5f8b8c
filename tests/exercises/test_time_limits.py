"""A slow block is stopped, and nothing after the block: no alarm is left, however late it comes."""

import contextlib
import signal
import sys
import threading
import time

import pytest

from mnist_helpers.exercises import comparing, judging, time_limits
from mnist_helpers.exercises.time_limits import TooSlow, _Alarm, _Interrupts, time_limit

HAS_ALARM = hasattr(signal, "setitimer")
SIGNALS = [signal.SIGINT, *([signal.SIGALRM] if HAS_ALARM else [])]
needs_alarm = pytest.mark.skipif(not HAS_ALARM, reason="Windows has no alarm")
alarm = pytest.param(_Alarm, marks=needs_alarm)
both = pytest.mark.parametrize("limit", [alarm, _Interrupts])


def wait(seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Whatever a test does, the handlers are as they were and no alarm comes later."""
    at_first = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where `make test &` began in a script
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert not HAS_ALARM or signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    signal.signal(signal.SIGINT, at_first)


@both
def test_a_slow_block_is_stopped_and_a_quick_one_is_not(limit):
    with pytest.raises(TooSlow), limit(0.05):
        wait()
    with limit(5):
        time.sleep(0.01)


@both
def test_a_block_that_catches_the_first_exception_is_stopped_by_the_next(limit, monkeypatch):
    monkeypatch.setattr(time_limits, "AGAIN", 0.05)
    with pytest.raises(TooSlow), limit(0.05):
        with contextlib.suppress(BaseException):
            wait()
        wait()


@both
@pytest.mark.parametrize("name", ["_start", "__exit__", "_stop"])
def test_a_signal_that_comes_while_the_block_begins_or_ends_is_no_exception(limit, name):
    """Raise the signal in the first moment of a function, where Python looks for signals."""
    rung, place = [], getattr(limit, name)

    def profile(frame, event, _):
        if event == "call" and frame.f_code is place.__code__ and signal.getsignal(limit.number) == context._ring:
            rung.append(place)
            signal.raise_signal(limit.number)

    context = limit(5)
    context.fired = True
    sys.setprofile(profile)
    try:
        with context:
            pass
    finally:
        sys.setprofile(None)
    assert rung


@needs_alarm
def test_a_right_answer_at_the_last_moment_is_judged_correct(monkeypatch):
    real = signal.setitimer

    def late(which, seconds, interval=0.0):
        if not seconds:
            signal.raise_signal(signal.SIGALRM)
        return real(which, seconds, interval)

    monkeypatch.setattr(time_limits.signal, "setitimer", late)
    assert judging.judge(lambda ask: comparing.same(ask(1), 2), lambda number: 2) == (judging.CORRECT, "")


@both
def test_the_users_own_interrupt_stops_the_cell(limit):
    with pytest.raises(KeyboardInterrupt), limit(5):
        signal.raise_signal(signal.SIGINT)


def test_another_thread_has_no_limit_and_does_not_stop_the_main_one():
    def check():
        with time_limit(0.01):
            time.sleep(0.1)
        done.append(True)

    done = []
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert done == [True]
