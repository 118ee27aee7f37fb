"""A command line as configuration, in the parts that the stand-in engine has."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass
class ModelConfig:
    model: str
    quantization_config: object = None


@dataclass
class SchedulerConfig:
    max_num_seqs: int


@dataclass
class VllmConfig:
    model_config: ModelConfig
    scheduler_config: SchedulerConfig
    instance_id: str = ""


@dataclass
class AsyncEngineArgs:
    model: str
    max_num_seqs: int

    @classmethod
    def from_cli_args(cls, parsed: argparse.Namespace) -> AsyncEngineArgs:
        return cls(parsed.model, parsed.max_num_seqs)

    def create_engine_config(self) -> VllmConfig:
        return VllmConfig(ModelConfig(self.model), SchedulerConfig(self.max_num_seqs))
