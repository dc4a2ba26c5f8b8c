"""The course's training command: `python -m mnist_helpers.train --help`; see mnist_helpers/trainer/."""

import signal
import sys

from mnist_helpers.trainer.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while PyTorch loads; the run has a handler of its own
    sys.exit(main(say_at_once=True))
