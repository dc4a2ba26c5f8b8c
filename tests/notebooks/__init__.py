"""What is asked of the stored notebooks. Without pytest, the command in listed_texts.py has to find tools/ too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tools"))
