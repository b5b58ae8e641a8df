"""What people were told of an environment, as the names of the templates, in the order in which it
stands there."""


def templates(company):
    return {str(row["id"]): row["template"]
            for row in company.database.query("SELECT id, template FROM outbox")}


def outbox_id(message):
    return message.get("metadata", {}).get("event_payload", {}).get("outbox")


def posted(company, channel=None):
    """(outbox id, template, channel) of everything that envbot posted, oldest first."""
    names, state = templates(company), company.slack.state()
    messages = [m for c, found in state["messages"].items() if channel in (None, c)
                for m in found if outbox_id(m)]
    return [(outbox_id(m), names[outbox_id(m)], m["channel"])
            for m in sorted(messages, key=lambda m: float(m["ts"]))]


def thread(company, name):
    names = templates(company)
    channel, ts, _ = company.message(name)
    return [names[outbox_id(m)] for m in company.slack.thread(channel, ts)]


def assert_nothing_twice(company):
    ids = [entry[0] for entry in posted(company)]
    assert len(ids) == len(set(ids)), posted(company)


def whispers(company, user):
    """The private answers that a person got, in channels and in direct messages."""
    return [m["text"] for found in company.slack.state(user)["messages"].values() for m in found
            if m.get("ephemeral_for") == user or outbox_id(m)
            and templates(company)[outbox_id(m)] == "private"]
