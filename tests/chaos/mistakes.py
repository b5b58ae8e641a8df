"""Makes each deliberate mistake of mistakes.yaml in a copy of the tree, builds it, and lets chaos look for
it, five minutes at most. Exit code 0: all were found; says how long each took.

    mistakes.py FOLDER [WORD…]    FOLDER: for the copy and its build; WORD: only mistakes that have it
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mutation"))

from run import Tree  # noqa: E402

MINUTES = 5


def look_for(tree, mistake, seed):
    """What chaos says, and after how many seconds of play; None: it found nothing, or nothing fits."""
    with tree.mistaken(mistake) as fits:
        if not fits:
            return "DOES NOT FIT", None
        if not tree.run(["make", "-j2", "all"]):
            return "DOES NOT BUILD", None
        began = time.monotonic()
        done = subprocess.run(
            ["/usr/bin/python3", "tests/chaos/chaos.py", "--minutes", str(MINUTES), "--seed", str(seed),
             "--until-found", *mistake["found_by"], *shlex.split(mistake.get("options", ""))],
            cwd=tree.path, capture_output=True, text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("ENVBOT_")})
        said = [line for line in re.findall(r"^VIOLATION (.*)$", done.stdout, re.MULTILINE)
                if line.partition(":")[0] in mistake["found_by"]]
        tree.log.write(done.stdout + done.stderr)
        for folder in re.findall(r"everything is in (/tmp/envbot-chaos-\w+)$", done.stdout, re.MULTILINE):
            shutil.rmtree(folder, ignore_errors=True)
        return (said[0] if said else None), time.monotonic() - began


def main():
    folder, words = sys.argv[1], sys.argv[2:]
    mistakes = yaml.safe_load((HERE / "mistakes.yaml").read_text(encoding="utf-8"))
    chosen = [m for m in mistakes if all(w in m["mistake"] or w in m["file"] for w in words)]
    os.makedirs(folder, exist_ok=True)
    tree = Tree(os.path.join(folder, "tree"))
    missed = 0
    for mistake in chosen:
        said, seconds = look_for(tree, mistake, seed=1)
        found = seconds is not None and said
        missed += not found
        print(f"{'found after %.0f s' % seconds if found else said or 'MISSED'}: {mistake['mistake']}\n"
              f"      {said[:200] if found else ''}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} deliberate mistakes were found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
