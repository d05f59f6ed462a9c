"""SIGTERM and SIGINT during training: save, then leave with the status they mean."""

import contextlib
import os
import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(SystemExit):
    """Training has saved its state and left, as a signal asked it to.

    A `SystemExit`, not an `EhsodError`: nothing is wrong, and a program that does not
    catch it ends with the status by which shells and schedulers (Slurm, Kubernetes)
    know a process that was ended by a signal: 128 plus its number, 143 for SIGTERM and
    130 for SIGINT.

    Attributes:
        signal: the `signal.Signals`.
        step: steps made; the run goes on from here.
        code: the exit status.
    """

    def __init__(self, received: signal.Signals, step: int):
        super().__init__(128 + received)
        self.signal = received
        self.step = step

    def __str__(self):
        return (
            f"{self.signal.name}: stopped after step {self.step}; start the run again "
            "to go on from there"
        )


class StopSignals:
    """Takes note of SIGTERM and SIGINT while it is entered; see `raise_if_received`.

    A further SIGINT ends the process at once. Outside the main thread, where Python
    does not allow handlers, and for a signal that the process was set to ignore (as
    under nohup), everything stays as it is.
    """

    def __init__(self):
        self._received = None
        self._step_to_raise_at = None
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def received(self) -> bool:
        """True once a signal has come."""
        return self._received is not None

    def raise_if_received(self, step: int) -> None:
        """Raises `Interrupted` if a signal has come; call it with the state saved."""
        if self._received is not None:
            raise Interrupted(self._received, step)

    def raise_interrupted(self, step: int) -> None:
        """Raises `Interrupted`, as if by SIGTERM if the signal came to another machine.

        Call it with the state saved.
        """
        raise Interrupted(self._received or signal.SIGTERM, step)

    @contextlib.contextmanager
    def raised_at_once(self, step: int):
        """Within it a signal raises `Interrupted` where it strikes.

        For long work with nothing to save, such as an evaluation: schedulers give
        seconds before they kill.
        """
        self.raise_if_received(step)
        self._step_to_raise_at = step
        try:
            yield
        finally:
            self._step_to_raise_at = None

    def _note(self, number, frame):
        if self._received is not None and number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._received = self._received or signal.Signals(number)
        if self._step_to_raise_at is not None:
            raise Interrupted(self._received, self._step_to_raise_at)
