"""What is collected only where the heavy package that it runs is at hand."""

import os

collect_ignore = [] if os.environ.get("SOTTOVOCE_WHISPER_PYTHON") else ["test_real_whisper.py"]
