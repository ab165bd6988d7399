#!/usr/bin/python3
"""A hook in Python: text after "note to self" goes into a file, and is not typed; abbreviations are written out."""

import json
import re
import sys
from pathlib import Path

FULL = {"asap": "as soon as possible", "eod": "by the end of the day"}
NOTES = Path.home() / "notes.txt"

said = json.load(sys.stdin)
if said["text"].lower().startswith("note to self"):
    with NOTES.open("a") as notes:
        notes.write(said["text"] + "\n")
    sys.exit(10)  # nothing is typed
print(re.sub(r"\b\w+\b", lambda word: FULL.get(word[0].lower(), word[0]), said["text"]))
