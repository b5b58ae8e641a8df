"""Makes each deliberate mistake of mistakes.yaml in a copy of the tree, builds it, and runs the tests
that must notice. Exit code 0: all were noticed; 1: one survived, or does not fit the code any more.

    run.py FOLDER [WORD…]    FOLDER: for the copy and its build; WORD: only mistakes that have it
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]


class Tree:
    """A copy of what git knows, as it is now, with a build of its own."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder).resolve()
        self.log = open(self.path.with_suffix(".log"), "w", encoding="utf-8")
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = ROOT / name, self.path / name
            if not source.exists():
                target.unlink(missing_ok=True)
            elif not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def run(self, command):
        self.log.write(f"\n$ {shlex.join(command)}\n")
        self.log.flush()
        # What make was called with is not for the make in the copy.
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MFLAGS", "BUILD", "ENVBOT_BUILD", "ENVBOT_BINARY")}
        return subprocess.run(command, cwd=self.path, env=env, stdout=self.log,
                              stderr=subprocess.STDOUT).returncode == 0

    @contextlib.contextmanager
    def mistaken(self, mistake):
        """With the mistake in the copy; gives whether it fits (as often as it says, else once)."""
        path = self.path / mistake["file"]
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mistake["right"], mistake["wrong"]), encoding="utf-8")
        try:
            yield text.count(mistake["right"]) == mistake.get("times", 1)
        finally:
            path.write_text(text, encoding="utf-8")

    def build(self, tests):
        units = [f"build/unit/{test}" for test in tests if ".py" not in test]
        return self.run(["make", "-j2", "all", *units])

    def notices(self, tests):
        """Whether one of the tests fails."""
        for test in tests:
            name, *words = shlex.split(test)
            command = [*PYTEST, f"tests/e2e/{name}", *words] if ".py" in name else [
                f"build/unit/{name}"]
            if not self.run(command):
                return True
        return False


def try_mistake(tree, mistake):
    with tree.mistaken(mistake) as fits:
        if not fits:
            return "DOES NOT FIT"
        if not tree.build(mistake["tests"]):
            return "DOES NOT BUILD"
        return "noticed" if tree.notices(mistake["tests"]) else "SURVIVED"


def main():
    folder, words = sys.argv[1], sys.argv[2:]
    mistakes = yaml.safe_load((HERE / "mistakes.yaml").read_text(encoding="utf-8"))
    chosen = [m for m in mistakes if all(w in m["mistake"] or w in m["file"] for w in words)]
    os.makedirs(folder, exist_ok=True)
    tree = Tree(os.path.join(folder, "tree"))
    tests = list(dict.fromkeys(test for m in chosen for test in m["tests"]))
    if not tree.build(tests) or tree.notices(tests):
        print(f"Without any mistake the tests fail: see {tree.log.name}")
        return 1
    results = []
    for number, mistake in enumerate(chosen, 1):
        began = time.monotonic()
        results.append(try_mistake(tree, mistake))
        print(f"{number:3}  {results[-1]:14} {mistake['file']:26} {mistake['mistake']}"
              f"  ({time.monotonic() - began:.0f} s)", flush=True)
    noticed = results.count("noticed")
    print(f"{noticed} of {len(results)} deliberate mistakes were noticed")
    return 0 if noticed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
