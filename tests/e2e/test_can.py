"""`envbot can`: which binding, role and rule allow something, or what came nearest to it."""

import os
import subprocess

import pytest

from built import built

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPROVERS = ("--group", "slack:platform-approvers")
ANSWERS = [
    (("slack:U1", "approve", "environments", "--team", "payments", *APPROVERS), 0,
     'yes: RoleBinding "payments/approvers" of ClusterRole "envbot-approver" to Group'
     ' "slack:platform-approvers" (roles.yaml:21)'),
    (("slack:U1", "create", "environments", "--team", "anywhere", "--template", "small"), 0,
     'yes: ClusterRoleBinding "envbot-everybody-requests" of ClusterRole "envbot-requester" to Group'
     ' "system:authenticated" (roles.yaml:8)'),
    (("slack:U1", "approve", "environments", "--team", "elsewhere", *APPROVERS), 1,
     'no: RoleBinding "payments/approvers" of ClusterRole "envbot-approver" allows it, but only in'
     " payments"),
    (("slack:U1", "delete", "environments", "--team", "payments", *APPROVERS), 1,
     'no: ClusterRoleBinding "envbot-everybody-requests" names them, but ClusterRole'
     ' "envbot-requester" has no rule for delete of environments'),
    (("slack:U1", "get", "environments/status", "--team", "payments"), 1, "no: "),
    (("slack:U1", "approve", "environments", *APPROVERS), 1, "no: "),
]


@pytest.mark.parametrize("words, code, says", ANSWERS)
def test_can_names_what_allows_it_or_what_came_nearest(tmp_path, words, code, says):
    config = tmp_path / "envbot.yaml"
    config.write_text(f"rbac: {{path: {os.path.join(ROOT, 'deploy', 'rbac')}}}\n")
    run = subprocess.run([built("envbot"), "can", *words, "--config", str(config)], text=True,
                         capture_output=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (code, "")
    assert run.stdout.startswith(says), run.stdout
    assert says == "no: " or run.stdout == says + "\n"
