#!/usr/bin/python3
"""Makes DIR/bin/eksctl, a program that plays eksctl with DIR as its AWS."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def install(directory):
    directory = os.path.abspath(directory)
    os.makedirs(os.path.join(directory, "bin"), exist_ok=True)
    program = os.path.join(directory, "bin", "eksctl")
    with open(program, "w", encoding="utf-8") as file:
        # No shell between: the environment that is recorded is the one that was given. Without site
        # and as a module that is compiled once, because a run of tests starts it a thousand times.
        file.write("#!/usr/bin/python3 -IS\nimport sys\n"
                   f"sys.argv[1:1] = [{directory!r}]\n"
                   f"sys.path.append({HERE!r})\n"
                   "import eksctl\neksctl.main()\n")
    os.chmod(program, 0o755)
    return program


if __name__ == "__main__":
    print(install(sys.argv[1]))
