"""What a thread may say: what can follow what, and that it tells what was done, in that order."""

WAITS = {"approved", "denied", "withdrawn", "lapsed"}
BEGINS = {"ready", "failed", "deleting", "stopping", "trying-again"}
# Of what is up: any of these, in an order that the steps themselves decide.
UP = {"warning", "extended", "scaling", "scaled", "falling-asleep", "asleep", "waking", "awake",
      "changing-again", "change-failed", "upgrading", "upgraded", "expired", "deleting"}
# What was said -> what may be said next. None: the beginning.
FOLLOWS = {
    None: {"requested", "broke-glass"},
    "requested": WAITS | BEGINS, "broke-glass": BEGINS,
    "approved": BEGINS, "trying-again": BEGINS, "retrying": BEGINS,
    "ready": UP,
    **{word: UP for word in UP},
    "expired": {"gone", "stuck"}, "deleting": {"gone", "stuck"},
    "stopping": {"gone", "stuck"}, "stuck": {"deleting", "stuck", "retrying"},
    "failed": {"cleaned-up", "stuck", "retrying"},  # who tries again need not wait
    "cleaned-up": {"retrying"},
}
LAST = {"ready": {"ready", "warning", "extended", "scaled", "awake", "change-failed", "upgraded"},
        "asleep": {"asleep", "warning", "extended", "change-failed"},
        "deleted": {"gone"}, "failed": {"cleaned-up"},
        "lapsed": {"lapsed"}, "withdrawn": {"withdrawn"}, "denied": {"denied"}}
# Said besides the story, at any time.
ASIDE = {"mail-failed", "mail-missing", "nobody", "reminder", "escalated", "paused", "resumed",
         "held-up", "votes-void", "aws-waits", "aws-goes-on", "scheduled", "turn-skipped",
         "turn-waits", "turn-past", "changed", "slow", "question", "answered", "change-asked",
         "change-denied", "change-lapsed", "change-withdrawn"}
# How each step is told.
TOLD = {"request": "requested", "request-without-approval": "requested",
        "break-glass": "broke-glass", "approve": "approved",
        "deny": "denied", "withdraw": "withdrawn", "lapse": "lapsed", "ready": "ready",
        "try-again": "trying-again", "fail": "failed", "retry": "retrying", "warn": "warning",
        "extend": "extended", "expire": "expired", "delete": "deleting", "stuck": "stuck",
        "scale": "scaling", "scaled": "scaled", "sleep": "falling-asleep", "slept": "asleep",
        "wake": "waking", "woken": "awake", "wake-failed": "change-failed",
        "change-failed": "change-failed", "upgrade": "upgrading", "upgraded": "upgraded"}


def words_of(audit):
    """What a thread has to say, step by step; and sentences about steps that do not join."""
    words, state, wrong = [], None, []
    for row in audit:
        if not row["to_state"]:
            continue  # a refusal, a vote that was not the last one
        if (row["from_state"] or None) != state:
            wrong.append(f"the audit has {row['event']} from {row['from_state']} in {state}")
        word = TOLD.get(row["event"])
        if row["event"] == "gone":
            word = "gone" if row["to_state"] == "deleted" else "cleaned-up"
        if row["event"] == "try-again" and row["from_state"] == "changing":
            word = "changing-again"
        if row["event"] == "delete" and row["from_state"] == "creating":
            word = "stopping"
        words += [word] if word else []
        state = row["to_state"]
    return words, wrong


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
    done, odd = words_of(audit)
    yield from odd
    if done != words:
        yield f"it tells {words}, and what was done is {done}"
    for row, message in told:
        if row["template"] == "approved" and not any(f"<@{d['user_id']}>" in message["text"]
                                                     for d in decisions):
            yield f"“{message['text']}”, and that was nobody's decision"
        if row["template"] == "failed" and "could not be created.  Whatever" in message["text"]:
            yield "it is not said why it failed"
