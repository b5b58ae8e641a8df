"""A test's hand on the stand-in AWS. Standard library only."""

import json
import time
import urllib.request


class Aws:
    def __init__(self, url):
        self.url = url

    def call(self, path, body=None, method=None, timeout=70):
        request = urllib.request.Request(
            self.url + path, method=method or ("POST" if body is not None else "GET"),
            data=json.dumps(body).encode() if body is not None else None)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def mails(self):
        return self.call("/control/mails")["mails"]

    def messages(self):
        return self.call("/control/messages")["messages"]

    def calls(self):
        return self.call("/control/calls")["calls"]

    def fault(self, operation, do, **more):
        return self.call("/control/fault", {"operation": operation, "do": do, **more})

    def no_faults(self):
        return self.call("/control/fault", method="DELETE")

    def settings(self, **settings):
        return self.call("/control/settings", settings)

    def wait_for(self, predicate, what, seconds=15):
        deadline = time.monotonic() + seconds
        while True:
            seq = self.call("/control/wait?seq=-1")["seq"]
            found = predicate()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {seconds} s: {what}; mails: {self.mails()}")
            self.call(f"/control/wait?seq={seq}&timeout={min(left, 1.0):.2f}")
