"""Make PyPI's torchaudio importable beside a CPU build of torch.

PyPI's torchaudio wheel carries one extension that is linked against CUDA. Beside a CPU build of
torch its import fails; without the file, everything this project uses of torchaudio works. Beside a
CUDA build nothing is touched.
"""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

EXTENSION = "lib/_torchaudio.abi3.so"


def main() -> None:
    import torch

    if torch.version.cuda is not None or torch.version.hip is not None:
        return
    files = importlib.metadata.files("torchaudio") or []
    extension = next((Path(f.locate()) for f in files if str(f).endswith(EXTENSION)), None)
    if extension is None or not extension.exists():
        return
    trial = subprocess.run(
        [sys.executable, "-c", "import torchaudio"], capture_output=True, text=True
    )
    if trial.returncode == 0:
        return
    if "libcudart" not in trial.stderr and "libc10_cuda" not in trial.stderr:
        sys.exit(f"torchaudio cannot be imported:\n{trial.stderr}")
    extension.unlink()
    print(f"torch is a CPU build: removed torchaudio's CUDA-linked {EXTENSION}")
    subprocess.run([sys.executable, "-c", "import torchaudio"], check=True)


if __name__ == "__main__":
    main()
