"""What a thread may say: one table of what can follow what, and that it fits what was done."""

# What was said -> what may be said next. None: the beginning.
FOLLOWS = {
    None: {"requested"},
    "requested": {"approved", "withdrawn", "lapsed", "ready", "failed", "deleting", "trying-again"},
    "approved": {"ready", "failed", "deleting", "trying-again"},
    "trying-again": {"ready", "failed", "deleting", "trying-again"},
    "ready": {"warning", "extended", "expired", "deleting"},
    "warning": {"warning", "extended", "expired", "deleting"},
    "extended": {"warning", "extended", "expired", "deleting"},
    "expired": {"gone", "stuck"},
    "deleting": {"gone", "stuck"},
    "failed": {"cleaned-up", "stuck"},
    "stuck": {"deleting", "stuck"},
    "cleaned-up": {"retrying"},
    "retrying": {"ready", "failed", "deleting", "trying-again"},
}
LAST = {"ready": {"ready", "warning", "extended"}, "deleted": {"gone"}, "lapsed": {"lapsed"},
        "withdrawn": {"withdrawn"}, "failed": {"cleaned-up"}}
# Said besides the story, at any time.
ASIDE = {"mail-failed", "mail-missing", "nobody", "reminder", "escalated"}
# The step in the audit that each of them tells.
STEP = {"approved": "approve", "ready": "ready", "warning": "warn", "extended": "extend",
        "expired": "expire", "deleting": "delete", "failed": "fail", "retrying": "retry",
        "trying-again": "try-again", "stuck": "stuck", "withdrawn": "withdraw", "lapsed": "lapse"}


def wrong(env, told, audit, decisions):
    """told: (outbox row, message) in the order in which they stand there."""
    words = [row["template"] for row, _ in told if row["template"] not in ASIDE]
    before = None
    for word in words:
        if word not in FOLLOWS.get(before, ()):
            yield f"“{word}” follows “{before}” in {words}"
        before = word
    if env["state"] in LAST and before not in LAST[env["state"]]:
        yield f"the last word is “{before}” in {words}"
    numbers = [row["id"] for row, _ in told]
    if numbers != sorted(numbers):
        yield f"it is told in the order {numbers}"
    for word, event in STEP.items():
        done = sum(a["event"] == event for a in audit)
        if words.count(word) != done:
            yield f"“{word}” is said {words.count(word)} times and was done {done} times"
    for row, message in told:
        if row["template"] == "approved" and not any(f"<@{d['user_id']}>" in message["text"]
                                                     for d in decisions):
            yield f"“{message['text']}”, and that was nobody's decision"
        if row["template"] == "failed" and "could not be created.  Whatever" in message["text"]:
            yield "it is not said why it failed"
