"""Who may include whom: the house's arrows, read from the sources. An arrow never points back."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A room's files may include their own room and those named here; where a folder is not named, a
# file of bot/ is a room by itself (bot/config.c and bot/config.h are the room "config").
MAY_INCLUDE = {
    "base":      "",
    "config":    "base config_settings",
    "config_settings": "config",
    "store":     "base",
    "slack":     "base",
    "aws":       "base",
    "lifecycle": "base config store slack aws",
    "jobs":      "base config store slack aws lifecycle",
    "approvals": "base config store slack aws lifecycle",
    "commands":  "base config store slack aws lifecycle jobs approvals",
    "http":      "base config store slack aws lifecycle jobs approvals commands",
    "serve":     "base config store slack aws lifecycle jobs approvals commands http",
    "manual":    "base",
    "enrol":     "base config store slack aws lifecycle approvals",
    "check":     "base config store slack aws lifecycle jobs approvals http",
    "audit":     "base config store lifecycle",
    "main":      "base config store slack aws lifecycle jobs approvals commands http serve manual "
                 "check enrol audit",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def room(path):
    """The room of a path as it stands in the tree or in an #include (which starts inside bot/)."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] == "bot":
        parts = parts[1:]
    return parts[0] if len(parts) > 1 else parts[0].partition(".")[0]


def violations(files):
    """files: path -> text. One sentence for each #include that points the wrong way."""
    found = []
    for path, text in sorted(files.items()):
        here = room(path)
        if here not in MAY_INCLUDE:
            found.append(f"{path}: {here} is a room that the table does not know")
            continue
        for name in INCLUDE.findall(text):
            if room(name) not in {here, *MAY_INCLUDE[here].split()}:
                found.append(f"{path} includes {name}, but {here} may not include {room(name)}")
    return found


def sources():
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
            for folder in ("bot", "commands", "approvals")
            for path in (ROOT / folder).rglob("*.[ch]")}


def test_no_arrow_points_back():
    files = sources()
    assert len(files) > 100  # the whole house was read
    assert violations(files) == []


def test_a_wrong_include_is_found():
    made_up = {
        "bot/base/text.c": '#include "base/text.h"\n#include "store/db.h"\n',
        "bot/slack/web.c": '#include "store/outbox.h"\n',
        "bot/store/db.c": '#  include "slack/web.h"\n#include <libpq-fe.h>\n',
        "bot/jobs/job.c": '#include "commands/call.h"\n#include "lifecycle/say.h"\n',
        "bot/lifecycle/clock.c": '#include "approvals/decide.h"\n',
        "bot/config.c": '#include "slack/web.h"\n#include "config.h"\n',
        "bot/cellar/wine.c": "",
        "commands/create.c": '#include "approvals/decide.h"\n#include "http/door.h"\n',
        "bot/serve.c": '#include "http/door.h"\n#include "commands/dispatch.h"\n',
    }
    assert violations(made_up) == [
        "bot/base/text.c includes store/db.h, but base may not include store",
        "bot/cellar/wine.c: cellar is a room that the table does not know",
        "bot/config.c includes slack/web.h, but config may not include slack",
        "bot/jobs/job.c includes commands/call.h, but jobs may not include commands",
        "bot/lifecycle/clock.c includes approvals/decide.h, but lifecycle may not include approvals",
        "bot/slack/web.c includes store/outbox.h, but slack may not include store",
        "bot/store/db.c includes slack/web.h, but store may not include slack",
        "commands/create.c includes http/door.h, but commands may not include http",
    ]
