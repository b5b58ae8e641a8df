"""A stand-in workspace that is started, and a raw hand on its Web API."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

from company import ROOT, Program, load

SERVE = os.path.join(ROOT, "tests", "slack", "serve.py")
APP_TOKEN, BOT_TOKEN = "xapp-1-A0ENVBOT-1-test", "xoxb-1-test"


class StandIn(load("slack").Workspace):
    """The stand-in with a raw hand on its Web API."""

    def __init__(self, directory, *arguments):
        ready = os.path.join(directory, "slack.ready")
        self.program = Program([SERVE, "--ready-file", ready, *arguments], ready,
                               os.path.join(directory, "slack.log"))
        super().__init__(self.program.url)

    def send(self, path, body, content, token=None, method="POST"):
        """(status, headers, text); the body as it is."""
        headers = {"Content-Type": content} if content else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        if not content:
            request.add_unredirected_header("Content-Type", "")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def json(self, method, token=BOT_TOKEN, **arguments):
        """A method's answer to arguments in JSON."""
        text = self.send(f"/api/{method}", json.dumps(arguments).encode(),
                         "application/json; charset=utf-8", token)[2]
        return json.loads(text)

    def form(self, method, token=BOT_TOKEN, **arguments):
        """A method's answer to arguments in a form; what is no text goes as JSON."""
        fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in arguments.items()}
        text = self.send(f"/api/{method}", urllib.parse.urlencode(fields).encode(),
                         "application/x-www-form-urlencoded", token)[2]
        return json.loads(text)
