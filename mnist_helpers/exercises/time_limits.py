"""Stop a block of code in the main thread after some seconds, and never a moment later what follows the block."""

import _thread
import contextlib
import signal
import threading
from types import FrameType

AGAIN = 0.5  # seconds until the next try, in case the block catches the exception


class TooSlow(BaseException):
    """Raised after the time limit. Not an Exception, so that a student's `except Exception` does not catch it."""


def time_limit(seconds: float) -> contextlib.AbstractContextManager:
    """Return a context manager that raises TooSlow in its block if the block takes longer than `seconds`.

    Only the main thread can be stopped, in which notebooks run their cells; in another one there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        return contextlib.nullcontext()
    return _Alarm(seconds) if hasattr(signal, "setitimer") else _Interrupts(seconds)


class _Limit:
    """Raises TooSlow by the handler of a signal, but not while the context is entered or left.

    There, the exception would leave the clock running, which would then stop whatever the notebook does next.
    """

    number: int

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __enter__(self) -> None:
        self.before = signal.signal(self.number, self._ring)
        self._start()

    def __exit__(self, *_) -> None:
        self._stop()
        signal.signal(self.number, self.before)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        while frame:
            if frame.f_code in (_Limit.__enter__.__code__, _Limit.__exit__.__code__):
                return
            frame = frame.f_back
        self._raise()

    def _raise(self) -> None:
        raise TooSlow

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError


class _Alarm(_Limit):
    """Uses the alarm signal of Linux and macOS."""

    number = getattr(signal, "SIGALRM", 0)

    def _start(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Interrupts(_Limit):
    """Uses interrupts from another thread, for Windows, which lacks the alarm signal."""

    number = signal.SIGINT

    def _start(self) -> None:
        self.lock, self.over, self.fired = threading.Lock(), threading.Event(), False
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        wait = self.seconds
        while not self.over.wait(wait):
            with self.lock:  # the block does not end between the question and the interrupt
                if not self.over.is_set():
                    self.fired = True
                    _thread.interrupt_main()
            wait = AGAIN

    def _stop(self) -> None:
        with self.lock:
            self.over.set()

    def _raise(self) -> None:
        raise TooSlow if self.fired else KeyboardInterrupt
