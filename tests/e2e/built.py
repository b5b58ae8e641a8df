"""Where the programs under test are: build/, or the build that ENVBOT_BUILD names (one with
sanitizers, say). ENVBOT_BINARY chooses the bot alone (a wrapper around valgrind, say)."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def built(name):
    """The absolute path of a program, given as in build/: "envbot", "drivers/echo_bot"."""
    if name == "envbot" and os.environ.get("ENVBOT_BINARY"):
        return os.path.abspath(os.environ["ENVBOT_BINARY"])
    return str(ROOT / os.environ.get("ENVBOT_BUILD", "build") / name)


def sanitized():
    """Whether the bot is built with a sanitizer, whose runtime is linked, and loaded first."""
    with open(built("envbot"), "rb") as program:
        text = program.read()
    return b"__asan_init" in text or b"__tsan_init" in text
