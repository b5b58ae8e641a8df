"""What a person does, as the envelope that Slack makes of it."""

import time

from workspace import APP, BOT_USER, TEAM


def who(space, user):
    person = space.people[user]
    return {"id": user, "username": person["name"], "name": person["name"],
            "team_id": person["team_id"]}


def response_url(space, base, channel, user, ts=None):
    return f"{base}/response/{space.new_response(channel, user, ts)}"


def slash_command(space, base, user, channel, text, command):
    person = space.people[user]
    return {
        "token": "verification", "team_id": TEAM if person["team_id"] == TEAM else
        person["team_id"], "team_domain": "acme", "channel_id": channel,
        "channel_name": space.channels[channel]["name"] or "directmessage", "user_id": user,
        "user_name": person["name"], "command": command, "text": text, "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url(space, base, channel, user),
        "trigger_id": space.new_trigger(user)}


def find_elements(blocks):
    """Every interactive element with its block's id."""
    for block in blocks or []:
        for element in block.get("elements", []):
            if isinstance(element, dict) and "action_id" in element:
                yield block.get("block_id"), element
        for part in ("accessory", "element"):
            if isinstance(block.get(part), dict) and "action_id" in block[part]:
                yield block.get("block_id"), block[part]


def find_button(message, action_id, block_id=None, value=None):
    for found_block, element in find_elements(message.get("blocks")):
        if element["action_id"] != action_id or (block_id and block_id != found_block):
            continue
        if value is None or element.get("value") == value:
            return found_block, element
    return None


def block_action(space, base, user, message, block_id, element, team=None, selected=None):
    """team: the actor's workspace when another one has a person of that id, too."""
    channel = space.channels[message["channel"]]
    actor = dict(who(space, user), **({"team_id": team} if team else {}))
    answers_to = f"{team}/{user}" if team else user
    action = {"action_id": element["action_id"], "block_id": block_id, "type": element["type"],
              "action_ts": f"{time.time():.6f}"}
    for key in ("value", "text", "style"):
        if key in element:
            action[key] = element[key]
    if element["type"] != "button":
        action.update(input_state(element, selected))
    container = {"type": "message", "message_ts": message["ts"], "channel_id": channel["id"],
                 "is_ephemeral": bool(message.get("ephemeral_for"))}
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    return {
        "type": "block_actions", "user": actor, "api_app_id": APP,
        "token": "verification", "container": container, "trigger_id": space.new_trigger(user),
        "team": {"id": TEAM, "domain": "acme"}, "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel["id"], "name": channel["name"] or "directmessage"},
        "message": {k: v for k, v in message.items() if k not in ("channel", "ephemeral_for")},
        "state": {"values": {}},
        "response_url": response_url(space, base, channel["id"], answers_to, message["ts"]),
        "actions": [action]}


def view_action(space, user, view, block_id, element, value, values=None):
    """values: what the form's inputs hold at that moment, as view_submission takes it."""
    action = {"action_id": element["action_id"], "block_id": block_id, "type": element["type"],
              "action_ts": f"{time.time():.6f}"}
    if element["type"] == "button":
        action["value"] = element.get("value") if value is None else value
    elif value is not None:
        action.update(input_state(element, value))
    if values is not None:
        view = dict(view, state={"values": view_state(view, values)})
    return {"type": "block_actions", "user": who(space, user), "api_app_id": APP,
            "token": "verification", "container": {"type": "view", "view_id": view["id"]},
            "trigger_id": space.new_trigger(user), "team": {"id": TEAM, "domain": "acme"},
            "enterprise": None, "is_enterprise_install": False, "view": view,
            "actions": [action]}


def option_of(element, value):
    grouped = [o for group in element.get("option_groups", []) for o in group["options"]]
    for option in element.get("options", []) + grouped:
        if option["value"] == value:
            return option
    raise KeyError(f"no option {value!r}")


def input_state(element, value):
    """What Slack's view.state has for an input that was left at this value."""
    kind = element["type"]
    if kind in ("static_select", "radio_buttons", "overflow"):
        return {"type": kind, "selected_option": option_of(element, value) if value else None}
    if kind in ("checkboxes", "multi_static_select"):
        return {"type": kind, "selected_options": [option_of(element, v) for v in value or []]}
    if kind == "datepicker":
        return {"type": kind, "selected_date": value or None}
    if kind == "timepicker":
        return {"type": kind, "selected_time": value or None}
    if kind in ("users_select", "channels_select", "conversations_select"):
        return {"type": kind, kind.replace("s_select", "").join(("selected_", "")): value or None}
    return {"type": kind, "value": value or None}


def initial_value(element):
    if "initial_option" in element:
        return element["initial_option"]["value"]
    if "initial_options" in element:
        return [o["value"] for o in element["initial_options"]]
    return element.get("initial_value") or element.get("initial_date")


def set_to(block, values):
    element, given = block["element"], values.get(block["block_id"], {})
    action = element.get("action_id", "action")
    return given[action] if action in given else initial_value(element)


def view_state(view, values):
    """view.state.values: each input at what it was set to, or at its initial value."""
    return {b["block_id"]: {b["element"].get("action_id", "action"):
                            input_state(b["element"], set_to(b, values))}
            for b in view["blocks"] if b["type"] == "input"}


def view_submission(space, user, held, values):
    """values: {block_id: {action_id: value}}; what is not named keeps its initial value. Returns
    the payload, or a mapping of what the client itself would refuse (an empty required field)."""
    view, refused = held["view"], {}
    for block in view["blocks"]:
        if block["type"] != "input":
            continue
        most = block["element"].get("max_length", 3000)
        value = set_to(block, values)
        if value in (None, "", []) and not block.get("optional"):
            refused[block["block_id"]] = "Please complete this required field."
        if isinstance(value, str) and len(value) > most:
            refused[block["block_id"]] = f"Please enter at most {most} characters."
    if refused:
        return None, refused
    sent = dict(view, state={"values": view_state(view, values)})
    return {"type": "view_submission", "team": {"id": TEAM, "domain": "acme"},
            "user": who(space, user), "api_app_id": APP, "token": "verification",
            "trigger_id": space.new_trigger(user), "view": sent, "response_urls": [],
            "is_enterprise_install": False, "enterprise": None}, {}


def view_closed(space, user, view, cleared=False):
    return {"type": "view_closed", "team": {"id": TEAM, "domain": "acme"}, "user": who(space, user),
            "api_app_id": APP, "token": "verification", "view": view, "is_cleared": cleared,
            "is_enterprise_install": False, "enterprise": None}


def group_events(group, before):
    """What Slack tells of a user group that changed: who joined and left, and the whole."""
    now = int(time.time())
    added = [u for u in group["users"] if u not in before]
    removed = [u for u in before if u not in group["users"]]
    events = []
    if added or removed:
        events.append({"type": "subteam_members_changed", "subteam_id": group["id"],
                       "team_id": TEAM, "date_previous_update": now, "date_update": now,
                       "added_users": added, "added_users_count": str(len(added)),
                       "removed_users": removed, "removed_users_count": str(len(removed))})
    whole = dict(group, team_id=TEAM, is_usergroup=True, user_count=str(len(group["users"])))
    return events + [{"type": "subteam_updated", "subteam": whole}]


def event(space, event):
    return {"token": "verification", "team_id": TEAM, "api_app_id": APP, "event": event,
            "type": "event_callback", "event_id": space.new_id("Ev"), "event_time": int(time.time()),
            "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER,
                                "is_bot": True, "is_enterprise_install": False}],
            "is_ext_shared_channel": False}
