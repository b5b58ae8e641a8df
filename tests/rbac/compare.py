#!/usr/bin/env python3
"""envbot's evaluator beside a second one, on random policies and questions:

    compare.py --pairs 1000000 [--seed N]

A disagreement is made as small as it goes and printed; the exit code is then 1."""

import argparse
import copy
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile

import yaml

from policies import policy, question
from second import Rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVER = os.path.join(os.environ.get("ENVBOT_BUILD", os.path.join(ROOT, "build")),
                      "drivers", "rbac_batch")
A_POLICY = 500  # questions


def write(folder, files, style):
    """As YAML in blocks, YAML in one line, or JSON."""
    for number, nodes in enumerate(files):
        # A JSON file holds one document.
        if style == "json" and len(nodes) == 1:
            name, text = f"{number}.json", json.dumps(nodes[0])
        elif style == "block":
            name, text = f"{number}.yaml", yaml.dump_all(nodes, Dumper=yaml.CSafeDumper)
        else:
            name, text = f"{number}.yml", "".join(f"---\n{json.dumps(n)}\n" for n in nodes)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


def both(files, questions, style):
    """(what envbot says, what the second evaluator says)."""
    with tempfile.TemporaryDirectory(prefix="envbot-rbac-") as folder:
        write(folder, files, style)
        run = subprocess.run([DRIVER, folder], text=True, capture_output=True, check=False,
                             input="".join(json.dumps(q) + "\n" for q in questions))
        words = run.stdout.split()
        if run.returncode or len(words) != len(questions) or set(words) - {"yes", "no"}:
            raise RuntimeError(f"{DRIVER}: {run.returncode}\n{run.stdout[-500:]}{run.stderr[-2000:]}")
        second = Rules.read(folder)
    return [word == "yes" for word in words], [second.allow(q) for q in questions]


def places(node, path=()):
    """Every place in nested lists and mappings, the outer ones first."""
    inner = (enumerate(node) if isinstance(node, list) else list(node.items())
             if isinstance(node, dict) else ())
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def without(node, path):
    node = copy.deepcopy(node)
    at = node
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return node


def smallest(files, one, style, said):
    """The policy without anything that is not needed for the two to disagree just so."""
    again = True
    while again:
        again = False
        for path in list(places(files)):
            try:
                less = without(files, path)
                if [a[0] for a in both(less, [one], style)] == said:
                    files, again = less, True
                    break
            except (RuntimeError, KeyError, IndexError, TypeError):
                continue
    return files


def compare(pairs, seed):
    """How many were asked, how many were yes; raises AssertionError on a disagreement."""
    dice = random.Random(seed)
    asked = yes = 0
    while asked < pairs:
        files = policy(dice)
        style = dice.choice(["block", "flow", "json"])
        questions = [question(dice) for _ in range(min(A_POLICY, pairs - asked))]
        first, second = both(files, questions, style)
        for one, *said in zip(questions, first, second):
            if said[0] != said[1]:
                small = smallest(files, one, style, said)
                raise AssertionError(
                    f"seed {seed}: envbot says {'yes' if said[0] else 'no'}, the second evaluator"
                    f" {'yes' if said[1] else 'no'}, to\n{json.dumps(one)}\nwith\n"
                    + yaml.dump_all([n for f in small for n in f], Dumper=yaml.CSafeDumper))
        asked += len(questions)
        yes += sum(first)
    return asked, yes


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=1000000)
    options.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = options.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        asked, yes = compare(options.pairs, options.seed)
    except AssertionError as error:
        print(error)
        return 1
    print(f"{asked} questions, {yes} yes, {asked - yes} no, no disagreement")
    return 0


if __name__ == "__main__":
    sys.exit(main())
