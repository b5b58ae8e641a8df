"""JSON without the module json, whose regular expressions take longer to read than all the rest of an
eksctl's start: the two halves in C that json itself uses."""

import _json


class Reading:
    strict, memo = True, {}
    object_hook = object_pairs_hook = parse_constant = None
    parse_float, parse_int = float, int


scan = _json.make_scanner(Reading)
pieces = _json.make_encoder(None, None, _json.encode_basestring_ascii, None, ": ", ", ", False, False,
                            False)


def loads(text):
    return scan(text, 0)[0]


def dumps(value):
    return "".join(pieces(value, 0))


def indented(value, margin="\n"):
    """As json.dumps(value, indent=4)."""
    if not value or not isinstance(value, (dict, list)):
        return dumps(value)
    inner = margin + "    "
    if isinstance(value, dict):
        items = [f"{dumps(key)}: {indented(held, inner)}" for key, held in value.items()]
        return "{" + inner + ("," + inner).join(items) + margin + "}"
    return "[" + inner + ("," + inner).join(indented(held, inner) for held in value) + margin + "]"
