"""A raw hand on the eksctl that is played."""

import os
import subprocess

from company import load

CLUSTER = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: payments-demo, region: eu-central-1, version: "1.34", tags: {envbot:environment: "7"}}
managedNodeGroups:
- {name: main, instanceType: t3.large, desiredCapacity: 2, minSize: 1, maxSize: 3, tags: {a: b}}
"""


class Played(load("eksctl").Eksctl):
    def command(self, words, stdin, environment):
        return {"args": [self.program, *words.split()], "stdin": subprocess.PIPE, "text": True,
                "env": {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C.UTF-8",
                        **(environment or {})}}

    def run(self, words, stdin="", **environment):
        """(exit code, stdout, stderr)."""
        command = self.command(words, stdin, environment)
        command.pop("stdin")
        done = subprocess.run(**command, input=stdin, capture_output=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def start(self, words, stdin=""):
        """The process, with its configuration read and its logs in a pipe."""
        process = subprocess.Popen(**self.command(words, stdin, None), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
        return process

    def create(self, config=CLUSTER, more=""):
        return self.run(f"create cluster -f - --timeout 40m --write-kubeconfig=false -C false -v 3 {more}",
                        config)

    def delete(self, more="--wait --force"):
        return self.run("delete cluster --name payments-demo --region eu-central-1 "
                        f"--disable-nodegroup-eviction --timeout 60m -C false {more}")
