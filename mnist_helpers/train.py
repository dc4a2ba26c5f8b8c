"""The course's training command: `python -m mnist_helpers.train --help`; see mnist_helpers/trainer/."""

import sys

from mnist_helpers.trainer.cli import main

if __name__ == "__main__":
    sys.exit(main(say_at_once=True))
