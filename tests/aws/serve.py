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
import signal
import sys
import time
from urllib.parse import parse_qs

from aiohttp import web

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from kept import Kept  # noqa: E402
from signature import Refused, verify  # noqa: E402

KEYS = {"AKIDEXAMPLE": ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)}
MOST_RECIPIENTS = 50
MOST_BYTES = 40 << 20

# SES v2 SendEmail's members (botocore's model sesv2/2019-09-27), as far as envbot could send them.
CONTENT = {"Data", "Charset"}
SEND_EMAIL = {"FromEmailAddress", "FromEmailAddressIdentityArn", "Destination", "ReplyToAddresses",
              "FeedbackForwardingEmailAddress", "Content", "EmailTags", "ConfigurationSetName",
              "ListManagementOptions", "EndpointId", "TenantName",
              "FeedbackForwardingEmailAddressIdentityArn"}


def bad(message):
    return Refused(400, "BadRequestException", message)


class Aws:
    def __init__(self):
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
            if fault and fault["do"] in ("error", "status"):
                raise Refused(fault.get("status", 400), fault.get("error", "InternalFailure"),
                              fault.get("message", "a fault on demand"))
            raw = request.raw_path.partition("?")
            verify(request.method, raw[0], raw[2], request.headers, body, KEYS, service)
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
        if status == 200:
            return web.json_response(answer)
        return web.json_response({"message": answer.message}, status=status,
                                 headers={"x-amzn-ErrorType": answer.error})

    @staticmethod
    def as_xml(status, answer):
        if status == 200:
            return web.Response(text=answer, content_type="text/xml")
        text = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{answer.error}</Code>"
                f"<Message>{answer.message}</Message></Error></ErrorResponse>")
        return web.Response(text=text, status=status, content_type="text/xml")

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
        destination = mail.get("Destination") or {}
        recipients = [a for k in ("ToAddresses", "CcAddresses", "BccAddresses")
                      for a in destination.get(k, [])]
        if not recipients:
            raise bad("Destination must have at least one address")
        if len(recipients) > MOST_RECIPIENTS:
            raise Refused(400, "LimitExceededException", "Recipient count exceeds 50.")
        for address in recipients:
            local, at, domain = address.rpartition("@")
            if not at or not local or "." not in domain or " " in address:
                raise bad(f"Invalid email address: {address}")
        sender = mail.get("FromEmailAddress")
        if not sender:
            raise bad("Missing required member FromEmailAddress")
        plain = sender[sender.rfind("<") + 1:].rstrip(">")
        failed = [a for a in [plain] + (recipients if self.sandbox else [])
                  if a not in self.verified]
        if failed:
            raise Refused(400, "MessageRejected",
                          "Email address is not verified. The following identities failed the "
                          f"check in region EU-CENTRAL-1: {', '.join(failed)}")
        self.mails.append({"id": f"{len(self.mails) + 1:04d}", "at": time.time(), "from": sender,
                           "to": recipients, **self.content(mail.get("Content")),
                           "tags": {t["Name"]: t["Value"] for t in mail.get("EmailTags", [])}})
        return {"MessageId": f"0107019{len(self.mails):09d}-envbot-000000"}

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
        texts["headers"] = {h["Name"]: h["Value"] for h in simple.get("Headers", [])}
        return texts

    def get_account(self, _, __):
        return {"ProductionAccessEnabled": not self.sandbox, "SendingEnabled": True,
                "EnforcementStatus": "HEALTHY", "DedicatedIpAutoWarmupEnabled": False,
                "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0,
                              "SentLast24Hours": float(len(self.mails))}}

    # -- the query protocol: SNS and STS ---------------------------------------------------------
    def publish(self, form):
        if not form.get("TopicArn", "").startswith("arn:aws:sns:"):
            raise Refused(400, "InvalidParameter", "Invalid parameter: TopicArn")
        if not form.get("Message"):
            raise Refused(400, "InvalidParameter", "Invalid parameter: Empty message")
        subject = form.get("Subject", "")
        if len(subject) > 100 or "\n" in subject or not subject.isascii():
            raise Refused(400, "InvalidParameter", "Invalid parameter: Subject")
        self.messages.append({"at": time.time(), **form})
        return ('<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
                f"<MessageId>{len(self.messages):08d}</MessageId></PublishResult></PublishResponse>")

    def identity(self, _):
        return ('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                "<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/envbot</Arn>"
                "<UserId>AIDAENVBOT</UserId><Account>111122223333</Account>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>")

    async def query(self, request):
        form = {k: v[0] for k, v in parse_qs((await request.read()).decode()).items()}
        actions = {"Publish": ("sns", self.publish), "GetCallerIdentity": ("sts", self.identity)}
        action = form.get("Action", "")
        service, run = actions.get(action, ("sts", None))

        def checked(_, __):
            if not run:
                raise Refused(400, "InvalidAction", f"Could not find operation {action}")
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
        self.verified |= set(body.get("verify", []))
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
                web.post("/", self.query), web.get("/control/mails", listed("mails")),
                web.get("/control/messages", listed("messages")),
                web.get("/control/calls", listed("calls")), web.get("/control/wait", self.wait),
                web.post("/control/fault", self.add_fault),
                web.delete("/control/fault", self.no_faults),
                web.post("/control/settings", self.settings)]


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ready-file", help="gets {url, pid} when it listens")
    parser.add_argument("--state", help="a file that keeps mails and messages")
    arguments = parser.parse_args()
    app = web.Application(client_max_size=MOST_BYTES + (1 << 20))
    aws = Aws()
    kept = Kept(arguments.state, aws)
    app.add_routes(aws.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.port, shutdown_timeout=1)
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
