"""Whom a running engine belongs to, by control groups as containers and systemd name them."""

from __future__ import annotations

import pytest

from engines.adoption.ownership import (
    Unit,
    container_in,
    job_in,
    manager_among,
    refusal,
    serve_command,
    unit_in,
)
from engines.adoption.ownership import _in_service as in_service
from engines.control.inside_path import INSIDE
from engines.host.procfs import Process

ID = "3f2b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3"


@pytest.mark.parametrize(
    ("cgroup", "named"),
    [
        (f"0::/system.slice/docker-{ID}.scope", "Docker container 3f2b8c9d0e1f"),
        (f"12:memory:/docker/{ID}\n0::/docker/{ID}", "Docker container 3f2b8c9d0e1f"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/"
            f"libpod-{ID}.scope/container",
            "Podman container 3f2b8c9d0e1f",
        ),
        (f"0::/machine.slice/libpod-{ID}.scope", "Podman container 3f2b8c9d0e1f"),
        (
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
            f"a1b2c3d4_e5f6_7890_abcd_ef0123456789.slice/cri-containerd-{ID}.scope",
            "Kubernetes pod a1b2c3d4_e5f6_7890_abcd_ef0123456789",
        ),
        (
            f"11:cpu:/kubepods/besteffort/poda1b2c3d4-e5f6-7890-abcd-ef0123456789/{ID}",
            "Kubernetes pod a1b2c3d4-e5f6-7890-abcd-ef0123456789",
        ),
        (f"0::/system.slice/cri-containerd-{ID}.scope", "containerd container 3f2b8c9d0e1f"),
        (f"0::/crio-{ID}.scope", "CRI-O container 3f2b8c9d0e1f"),
        ("0::/lxc.payload.llm/system.slice/vllm.service", "LXC container llm"),
        ("4:memory:/lxc/llm\n", "LXC container llm"),
        (
            "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/x.service",
            "nspawn container web",
        ),
        ("0::/user.slice/user-1000.slice/session-3.scope", None),
        ("0::/system.slice/docker.service", None),
        ("0::/system.slice/vllm.service", None),
        ("0::/", None),
        ("", None),
    ],
)
def test_a_container_is_named(cgroup: str, named: str | None) -> None:
    assert container_in(cgroup) == named


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/vllm.service", Unit("vllm.service", user=False)),
        (
            "0::/system.slice/system-vllm.slice/vllm@chat.service",
            Unit("vllm@chat.service", user=False),
        ),
        ("0::/system.slice/my\\x2dvllm.service", Unit("my-vllm.service", user=False)),
        ("0::/system.slice/vllm.service/workers", Unit("vllm.service", user=False)),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vllm.service",
            Unit("vllm.service", user=True),
        ),
        (
            "9:name=systemd:/system.slice/vllm.service\n5:devices:/other.service\n0::/",
            Unit("vllm.service", user=False),
        ),
        ("0::/user.slice/user-1000.slice/session-3.scope", None),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1f2e.scope",
            None,
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope", None),
        ("0::/user.slice/user-1000.slice/user@1000.service", None),
        ("5:devices:/system.slice/vllm.service\n0::/user.slice/session-1.scope", None),
        ("0::/", None),
    ],
)
def test_a_service_is_named_and_a_persons_scope_is_none(cgroup: str, unit: Unit | None) -> None:
    assert unit_in(cgroup) == unit


def test_a_batch_job_is_named() -> None:
    assert job_in("0::/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0") == (
        "Slurm job 4711"
    )
    assert job_in("4:memory:/slurm/uid_1000/job_12/step_batch") == "Slurm job 12"
    assert job_in("0::/user.slice/session-3.scope") is None


@pytest.mark.parametrize(
    ("comm", "arguments", "manages"),
    [
        ("supervisord", ("/usr/bin/python3", "/usr/bin/supervisord", "-n"), True),
        ("python3", ("/usr/bin/python3", "/usr/bin/supervisord"), True),
        ("PM2 v5.3.0: God", ("PM2 v5.3.0: God Daemon (/root/.pm2)",), True),
        ("runsv", ("runsv", "vllm"), True),
        ("s6-supervise", ("s6-supervise", "vllm"), True),
        ("bash", ("bash", "run.sh"), False),
        ("systemd", ("/usr/lib/systemd/systemd", "--user"), False),
        ("tmux: server", ("tmux", "new", "-s", "supervise-me"), False),
    ],
)
def test_a_manager_is_known_by_its_name(
    comm: str, arguments: tuple[str, ...], manages: bool
) -> None:
    process = Process(7, 1, comm, arguments, 0)
    assert (manager_among([process]) == process) is manages


def test_a_unit_is_told_line_by_line_what_to_add() -> None:
    environ = {"PYTHONPATH": "/opt/more", "VLLM_PLUGINS": "mine", "HF_TOKEN": "hf_secret"}
    arguments = ("--model", "/m", "--api-key", "sk-very-secret", "--served-model-name", "50%")
    told = in_service(7, Unit("my vllm.service", user=True), arguments, environ)
    assert told.what == "PID 7 belongs to my vllm.service"
    lines = "\n".join(told.advice)
    assert "systemctl --user edit 'my vllm.service'" in lines
    assert f"    Environment=PYTHONPATH={INSIDE}:/opt/more" in told.advice
    assert "    Environment=VLLM_PLUGINS=mine,trimtab" in told.advice
    start = next(line for line in told.advice if line.startswith("    ExecStart=/"))
    assert start.endswith("trimtab serve /m --api-key '***' --served-model-name 50%%")
    assert "secret" not in lines


def test_the_command_for_swaps_begins_with_the_model() -> None:
    assert serve_command(("/m", "--port", "1")) == "trimtab serve /m --port 1"
    assert serve_command(("--port", "1", "--model=/m")) == "trimtab serve /m --port 1"
    assert serve_command(("--port", "1")) == "trimtab serve --port 1"


def test_a_process_beside_us_is_nobody_elses() -> None:
    import os

    assert refusal(os.getpid(), (), {}) is None
