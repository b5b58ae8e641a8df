#!/usr/bin/python3
"""A stand-in for the AWS services that envbot's serving process calls: SES v2, SNS and STS.

Every request's signature is recomputed; what AWS would refuse is refused with its names.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import json
import os
import re
import signal
import sys
import time
import uuid
from html import escape
from urllib.parse import parse_qs

from aiohttp import web

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from kept import Kept  # noqa: E402
from signature import Refused, verify  # noqa: E402

ACCOUNT = "111122223333"
# access key id: (secret, session token, expired)
KEYS = {"AKIDEXAMPLE": ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, False)}
MOST_RECIPIENTS = 50
MOST_BYTES = 40 << 20

# SES v2 SendEmail's members (botocore's model sesv2/2019-09-27), as far as envbot could send them.
CONTENT = {"Data", "Charset"}
TAG = re.compile(r"[A-Za-z0-9_@.-]{1,256}")
HEADER = re.compile(r"[!-9;-~]{1,126}")
ADDRESS = re.compile(r"[!-?A-~]{1,64}@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]{2,}")
SEND_EMAIL = {"FromEmailAddress", "FromEmailAddressIdentityArn", "Destination", "ReplyToAddresses",
              "FeedbackForwardingEmailAddress", "Content", "EmailTags", "ConfigurationSetName",
              "ListManagementOptions", "EndpointId", "TenantName",
              "FeedbackForwardingEmailAddressIdentityArn"}


# The query protocol's names for what the JSON protocols say.
QUERY_NAMES = {
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "ExpiredTokenException": "ExpiredToken", "ExpiredWebIdentity": "ExpiredTokenException",
    "TooManyRequestsException": "Throttling",
}

# Faults by what they are: (status, name, text).
FAULTS = {
    "throttle": (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "daily_quota": (429, "TooManyRequestsException", "Daily message quota exceeded."),
    "suspended": (400, "AccountSuspendedException", "Account is suspended."),
    "paused": (400, "SendingPausedException", "Sending is paused for this account."),
    "expired_token": (403, "ExpiredTokenException",
                      "The security token included in the request is expired"),
    "internal": (500, "InternalServiceError", "An internal service error occurred."),
}


def bad(message):
    return Refused(400, "BadRequestException", message)


class Aws:
    def __init__(self, region):
        self.region, self.keys = region, dict(KEYS)
        self.rate = None  # mails a second that are taken; None: any number
        self.mails, self.messages, self.calls, self.faults = [], [], [], []
        self.verified = {"envbot@example.com"}
        self.sandbox = False
        self.seq = 0
        self.event = asyncio.Event()

    def changed(self):
        self.seq += 1
        event, self.event = self.event, asyncio.Event()
        event.set()

    def saved(self):
        return {"seq": self.seq, "mails": self.mails, "messages": self.messages}

    def restore(self, saved):
        self.seq, self.mails, self.messages = saved["seq"], saved["mails"], saved["messages"]
        self.changed()

    def take_fault(self, operation):
        for fault in self.faults:
            if fault.get("operation", "*") in ("*", operation):
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    # -- the frame ------------------------------------------------------------------------------
    async def handle(self, request, operation, service, run, shape):
        body = await request.read()
        fault = self.take_fault(operation)
        status, answer = 200, None
        try:
            if fault and fault["do"] == "slow":
                await asyncio.sleep(fault.get("seconds", 1))
            if fault and fault["do"] in FAULTS:
                raise Refused(*FAULTS[fault["do"]])
            if fault and fault["do"] in ("error", "status"):
                raise Refused(fault.get("status", 400), fault.get("error", "InternalFailure"),
                              fault.get("message", "a fault on demand"))
            raw = request.raw_path.partition("?")
            if service:
                verify(request.method, raw[0], raw[2], request.headers, body, self.keys, service,
                       self.region)
            answer = run(request, body)
        except Refused as refused:
            status = refused.status
            answer = refused
        self.calls.append({"at": time.time(), "operation": operation, "status": status,
                           "error": answer.error if status != 200 else None})
        self.changed()
        if fault and fault["do"] in ("lose", "reset"):
            request.transport.close()
        return shape(status, answer)

    @staticmethod
    def as_json(status, answer):
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        if status == 200:
            return web.json_response(answer, headers=headers)
        return web.json_response({"message": answer.message}, status=status,
                                 headers={"x-amzn-ErrorType": answer.error, **headers})

    @staticmethod
    def as_xml(status, answer):
        request = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request}
        if status == 200:
            return web.Response(text=answer, content_type="text/xml", headers=headers)
        text = (f"<ErrorResponse><Error><Type>{'Sender' if status < 500 else 'Receiver'}</Type>"
                f"<Code>{QUERY_NAMES.get(answer.error, answer.error)}</Code>"
                f"<Message>{escape(answer.message)}</Message></Error>"
                f"<RequestId>{request}</RequestId></ErrorResponse>")
        return web.Response(text=text, status=status, content_type="text/xml", headers=headers)

    # -- SES v2 ---------------------------------------------------------------------------------
    def send_email(self, request, body):
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            raise bad("Content-Type must be application/json")
        try:
            mail = json.loads(body)
        except ValueError:
            raise Refused(400, "SerializationException", "the body is no JSON")
        unknown = set(mail) - SEND_EMAIL
        if unknown:
            raise Refused(400, "SerializationException", f"unknown member {sorted(unknown)[0]}")
        if len(body) > MOST_BYTES:
            raise bad("Message length is more than 40 MB")
        recipients = self.recipients(mail.get("Destination") or {})
        sender = mail.get("FromEmailAddress")
        if not sender:
            raise bad("Missing required member FromEmailAddress")
        self.check_identities(self.address(sender), recipients)
        tags = self.pairs(mail.get("EmailTags", []), TAG, TAG, 50)
        content = self.content(mail.get("Content"))
        self.check_pace(len(recipients))
        self.mails.append({"id": f"{len(self.mails) + 1:04d}", "at": time.time(), "from": sender,
                           "to": recipients, **content, "tags": tags})
        return {"MessageId": f"0107019{len(self.mails):09d}-envbot-000000"}

    @staticmethod
    def address(text):
        """The address of `a@b` or `Name <a@b>`."""
        plain = text[text.rfind("<") + 1:].rstrip(">") if text.endswith(">") else text
        if not ADDRESS.fullmatch(plain):
            raise bad(f"Invalid email address: {text}")
        return plain

    def recipients(self, destination):
        lists = ("ToAddresses", "CcAddresses", "BccAddresses")
        if set(destination) - set(lists):
            raise Refused(400, "SerializationException", "unknown member of Destination")
        found = [self.address(a) for k in lists for a in destination.get(k, [])]
        if not found:
            raise bad("Destination must have at least one address")
        if len(found) > MOST_RECIPIENTS:
            raise Refused(400, "LimitExceededException", "Recipient count exceeds 50.")
        return found

    def check_identities(self, sender, recipients):
        failed = [a for a in [sender] + (recipients if self.sandbox else [])
                  if a not in self.verified and a.partition("@")[2] not in self.verified
                  and not a.endswith("@simulator.amazonses.com")]
        if failed:
            raise Refused(400, "MessageRejected",
                          "Email address is not verified. The following identities failed the "
                          f"check in region {self.region.upper()}: {', '.join(failed)}")

    def check_pace(self, recipients):
        now, sent = time.time(), [(m["at"], len(m["to"])) for m in self.mails]
        if sum(n for at, n in sent if at > now - 86400) + recipients > self.daily():
            raise Refused(*FAULTS["daily_quota"])
        if self.rate and sum(n for at, n in sent if at > now - 1) + recipients > self.rate:
            raise Refused(*FAULTS["throttle"])

    def daily(self):
        return 200 if self.sandbox else 50_000

    @staticmethod
    def pairs(items, name, value, most):
        """A list of {Name, Value} as a mapping."""
        if len(items) > most:
            raise bad(f"more than {most} of them")
        for item in items:
            if set(item) != {"Name", "Value"} or not name.fullmatch(item["Name"]) \
                    or not value.fullmatch(item["Value"]):
                raise bad(f"Invalid name or value: {item}")
        return {item["Name"]: item["Value"] for item in items}

    @staticmethod
    def content(content):
        if not isinstance(content, dict) or len(content) != 1:
            raise bad("Content must have exactly one of Simple, Raw and Template")
        if "Raw" in content:
            message = email.message_from_bytes(base64.b64decode(content["Raw"]["Data"]),
                                               policy=email.policy.default)
            body = message.get_body(("plain",))
            html = message.get_body(("html",))
            return {"subject": str(message["Subject"]), "headers": dict(message.items()),
                    "text": body.get_content() if body else "",
                    "html": html.get_content() if html else ""}
        simple = content.get("Simple") or {}
        unknown = set(simple) - {"Subject", "Body", "Headers", "Attachments"}
        if unknown or not simple.get("Subject") or not simple.get("Body"):
            raise bad("Simple must have a Subject and a Body")
        texts = {}
        for name, part in [("subject", simple["Subject"]),
                           ("text", simple["Body"].get("Text")),
                           ("html", simple["Body"].get("Html"))]:
            if part is not None and (set(part) - CONTENT or not isinstance(part.get("Data"), str)):
                raise bad(f"{name} must have Data")
            texts[name] = part["Data"] if part else ""
        if "\n" in texts["subject"] or not texts["subject"]:
            raise bad("Subject must be one line")
        texts["headers"] = Aws.pairs(simple.get("Headers", []), HEADER, re.compile(r"[ -~]{1,870}"),
                                     15)
        return texts

    def get_account(self, _, __):
        return {"ProductionAccessEnabled": not self.sandbox, "SendingEnabled": True,
                "EnforcementStatus": "HEALTHY", "DedicatedIpAutoWarmupEnabled": False,
                "SendQuota": {"Max24HourSend": float(self.daily()),
                              "MaxSendRate": float(self.rate or (1 if self.sandbox else 14)),
                              "SentLast24Hours": float(sum(len(m["to"]) for m in self.mails))}}

    async def unknown(self, request):
        def none(_, __):
            raise Refused(404, "UnknownOperationException", request.path)
        return await self.handle(request, request.path, "ses", none, self.as_json)

    # -- the query protocol: SNS and STS ---------------------------------------------------------
    def publish(self, form):
        arn = form.get("TopicArn", "").split(":")
        if len(arn) != 6 or arn[:3] != ["arn", "aws", "sns"] or arn[3] != self.region:
            raise Refused(400, "InvalidParameter", "Invalid parameter: TopicArn")
        if arn[4] != ACCOUNT:
            raise Refused(403, "AuthorizationError", "not authorized to perform: SNS:Publish")
        if not form.get("Message"):
            raise Refused(400, "InvalidParameter", "Invalid parameter: Empty message")
        if len(form["Message"].encode()) > 262144:
            raise Refused(400, "InvalidParameter", "Invalid parameter: Message too long")
        subject = form.get("Subject", "")
        if len(subject) > 100 or "\n" in subject or not subject.isascii():
            raise Refused(400, "InvalidParameter", "Invalid parameter: Subject")
        self.messages.append({"at": time.time(), **form})
        return ('<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
                f"<MessageId>{uuid.uuid4()}</MessageId></PublishResult></PublishResponse>")

    def identity(self, _):
        return ('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                "<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/envbot</Arn>"
                "<UserId>AIDAENVBOT</UserId><Account>111122223333</Account>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>")

    def assume_with_web_identity(self, form):
        """Unsigned: the token is what proves it. A token that says "expired" is."""
        if form.get("WebIdentityToken", "") in ("", "expired"):
            raise Refused(400, "ExpiredWebIdentity" if form.get("WebIdentityToken") else
                          "InvalidIdentityToken", "The token is expired or none")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", form.get("RoleSessionName", "")):
            raise Refused(400, "ValidationError", "RoleSessionName")
        if not form.get("RoleArn", "").startswith(f"arn:aws:iam::{ACCOUNT}:role/"):
            raise Refused(403, "AccessDenied",
                          "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        key, secret, token = f"ASIA{len(self.keys):012d}", uuid.uuid4().hex, uuid.uuid4().hex
        self.keys[key] = (secret, token, False)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        role = form["RoleArn"].rpartition("/")[2]
        return ('<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                "<AssumeRoleWithWebIdentityResult><Credentials>"
                f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
                f"<SessionToken>{token}</SessionToken><Expiration>{end}</Expiration></Credentials>"
                f"<AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role}/"
                f"{form['RoleSessionName']}</Arn><AssumedRoleId>AROAENVBOT:x</AssumedRoleId>"
                "</AssumedRoleUser></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>")

    async def query(self, request):
        form = {k: v[0] for k, v in parse_qs((await request.read()).decode()).items()}
        actions = {  # action: (signed for, version, what it does)
            "Publish": ("sns", "2010-03-31", self.publish),
            "GetCallerIdentity": ("sts", "2011-06-15", self.identity),
            "AssumeRoleWithWebIdentity": (None, "2011-06-15", self.assume_with_web_identity)}
        action = form.get("Action", "")
        service, version, run = actions.get(action, ("sts", None, None))

        def checked(_, __):
            if not run or form.get("Version") != version:
                raise Refused(400, "InvalidAction", f"Could not find operation {action} for version "
                              f"{form.get('Version')}")
            return run(form)
        return await self.handle(request, action, service, checked, self.as_xml)

    # -- control --------------------------------------------------------------------------------
    async def wait(self, request):
        seq, timeout = int(request.query.get("seq", 0)), float(request.query.get("timeout", 20))
        deadline = time.monotonic() + min(timeout, 60)
        while self.seq <= seq and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.event.wait(), left)
            except asyncio.TimeoutError:
                break
        return web.json_response({"seq": self.seq})

    async def add_fault(self, request):
        self.faults.append({"count": 1, **await request.json()})
        return web.json_response({"ok": True})

    async def no_faults(self, _):
        self.faults.clear()
        return web.json_response({"ok": True})

    async def settings(self, request):
        body = await request.json()
        self.sandbox = body.get("sandbox", self.sandbox)
        self.rate = body.get("rate", self.rate)
        self.verified |= set(body.get("verify", []))
        if body.get("expire_sessions"):
            self.keys = {k: (secret, token, token is not None)
                         for k, (secret, token, _) in self.keys.items()}
        return web.json_response({"ok": True})

    async def reset(self, _):
        """As after a start."""
        self.__init__(self.region)
        return web.json_response({"ok": True})

    def routes(self):
        def listed(name):
            async def answer(_):
                return web.json_response({name: getattr(self, name)})
            return answer

        async def send(request):
            return await self.handle(request, "SendEmail", "ses", self.send_email, self.as_json)

        async def account(request):
            return await self.handle(request, "GetAccount", "ses", self.get_account, self.as_json)

        return [web.post("/v2/email/outbound-emails", send), web.get("/v2/email/account", account),
                web.route("*", "/v2/{path:.*}", self.unknown), web.post("/", self.query), web.get("/control/mails", listed("mails")),
                web.get("/control/messages", listed("messages")),
                web.get("/control/calls", listed("calls")), web.get("/control/wait", self.wait),
                web.post("/control/fault", self.add_fault),
                web.delete("/control/fault", self.no_faults),
                web.post("/control/settings", self.settings),
                web.post("/control/reset", self.reset)]


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ready-file", help="gets {url, pid} when it listens")
    parser.add_argument("--region", default="eu-central-1", help="the region that it plays")
    parser.add_argument("--state", help="a file that keeps mails and messages")
    arguments = parser.parse_args()
    app = web.Application(client_max_size=MOST_BYTES + (1 << 20))
    aws = Aws(arguments.region)
    kept = Kept(arguments.state, aws)
    app.add_routes(aws.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # Who waits here for news is not waited for: each test would take as much longer.
    site = web.TCPSite(runner, "127.0.0.1", arguments.port, shutdown_timeout=0.1)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    if arguments.ready_file:
        with open(arguments.ready_file + ".new", "w", encoding="utf-8") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        os.rename(arguments.ready_file + ".new", arguments.ready_file)
    print(url, flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await kept.until(stop)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
