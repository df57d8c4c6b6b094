"""Policy checks of deploy/aws by checkov, from its own environment (`make test-aws` installs it)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.hcl import AWS

CHECKOV = Path(__file__).parents[2] / ".local" / "checkov" / "bin" / "checkov"

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed: run make test-aws"),
    pytest.mark.timeout(1800),
]


def test_no_policy_check_fails_and_every_skip_has_a_reason():
    command = [CHECKOV, "-d", AWS, "--framework", "terraform", "--skip-download", "--quiet", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    results = json.loads(done.stdout)["results"]
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    skipped = results["skipped_checks"]
    assert [check["check_id"] for check in skipped if not check["check_result"].get("suppress_comment")] == []
