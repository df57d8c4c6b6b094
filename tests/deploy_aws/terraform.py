"""deploy/aws on an emulator of AWS: a copy of the code, what the emulator needs otherwise, and what a plan says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.hcl import AWS
from tests.support.servers import server_process
from tools.aws_functions import names, pack
from tools.local_stack.ports import any_free_port

OVERRIDES = {
    # no bucket for the state, no account behind the credentials
    ".": """
terraform {
  backend "local" {}
}
provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}
""",
    # gap: MiniStack has no AttachLoadBalancerTargetGroups
    "modules/eks": """
resource "aws_autoscaling_attachment" "this" {
  count = 0
}
""",
    # gap: MiniStack forgets the prefix list of a rule
    "modules/firewall": """
resource "aws_vpc_security_group_egress_rule" "s3" {
  prefix_list_id = null
  cidr_ipv4      = "192.0.2.0/24"
}
""",
}
PROVIDER_VERSION = "5.100.0"


@contextlib.contextmanager
def aws_emulator(folder: Path) -> Iterator[str]:
    """Run MiniStack with all its services; yields its address."""
    port = any_free_port()
    # without the last two it also listens for MQTT and SFTP, on every address
    environ = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    command = [str(Path(sys.executable).parent / "ministack")]
    url = f"http://127.0.0.1:{port}/_localstack/health"
    with server_process(command, environ, lambda: url, folder / "aws.log") as address:
        yield address


def provider_mirror() -> Path | None:
    """Return a folder with the provider for machines that reach no registry of Terraform; None without one."""
    named = os.environ.get("TF_PLUGIN_MIRROR")
    places = [Path(named)] if named else [Path("/opt/tf-plugins"), Path("/usr/share/terraform/plugins")]
    found = (next(place.glob(f"*/hashicorp/aws/{PROVIDER_VERSION}"), None) for place in places if place.is_dir())
    return next((version.parents[3] for version in found if version), None)


def missing_tool() -> str | None:
    """Return why nothing can be applied here."""
    if shutil.which("terraform") is None:
        return "there is no terraform on this machine"
    if provider_mirror() is None:
        return f"no provider hashicorp/aws {PROVIDER_VERSION} on this machine: set TF_PLUGIN_MIRROR"
    return None


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform in a copy of the code, talking to the emulator only."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        command = ["terraform", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False)
        errors = done.stderr[-6000:] or done.stdout[-6000:]
        assert done.returncode in allowed, f"terraform {arguments[0]} ended with {done.returncode}: {errors}"
        return done

    def changes(self, *arguments: str) -> dict[str, set[str]]:
        """Return address → what a plan would do to it: names of attributes, or `create` and `delete`."""
        self.run("plan", "-input=false", "-out=plan.bin", *arguments)
        plan = json.loads(self.run("show", "-json", "plan.bin").stdout)
        return {
            change["address"]: _difference(change["change"])
            for change in plan.get("resource_changes", [])
            if change["mode"] == "managed" and change["change"]["actions"] != ["no-op"]
        }

    def state(self) -> list[Mapping[str, Any]]:
        """Return every resource that is there, with its attributes."""
        return _resources(json.loads(self.run("show", "-json").stdout)["values"]["root_module"])


def prepare(folder: Path, address: str, variables: Mapping[str, object]) -> Terraform:
    """Copy the code, pack the functions and install the provider from the mirror."""
    code = folder / "aws"
    shutil.copytree(AWS, code, ignore=shutil.ignore_patterns("build", ".terraform*", "*.tfstate*", "*.auto.tfvars"))
    for place, text in OVERRIDES.items():
        (code / place / "emulator_override.tf").write_text(text, encoding="utf-8")
    for name in names():
        pack(name, code / "build")
    (code / "test.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")
    settings = folder / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path    = "{provider_mirror()}"\n'
        '    include = ["hashicorp/aws"]\n  }\n}\n',
        encoding="utf-8",
    )
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    ours |= {
        "TF_CLI_CONFIG_FILE": str(settings),
        "TF_IN_AUTOMATION": "1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    terraform = Terraform(code, ours)
    terraform.run("init", "-input=false")
    return terraform


def _difference(change: Mapping[str, Any]) -> set[str]:
    """Return the attributes that differ; of what is only made or only removed, that."""
    before, after = change["before"], change["after"]
    if not before or not after:
        return set(change["actions"])
    unknown = change.get("after_unknown") or {}
    return {name for name in {*before, *after} if name not in unknown and before.get(name) != after.get(name)} or {
        "unknown"
    }


def _resources(module: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = list(module.get("resources", []))
    return own + [resource for child in module.get("child_modules", []) for resource in _resources(child)]
