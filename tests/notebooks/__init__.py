"""What is asked of the stored notebooks. Without pytest, the command in cell_ids.py has to find tools/ too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tools"))
