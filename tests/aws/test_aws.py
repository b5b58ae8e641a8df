"""AWS's own client (botocore) works against the stand-in unchanged, and what AWS refuses is refused."""

import datetime
import http.client
import json
import urllib.parse

import botocore.auth
import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, HTTPClientError

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"
TOPIC = "arn:aws:sns:eu-central-1:111122223333:envbot"
SIMPLE = {"Simple": {"Subject": {"Data": "Ready – at last", "Charset": "UTF-8"},
                     "Body": {"Text": {"Data": "It is ready.\n"}, "Html": {"Data": "<p>Ready</p>"}}}}


SESSION = botocore.session.Session()  # reads its models once


def client(aws, service, key=KEY, secret=SECRET, token=None, region=REGION):
    return SESSION.create_client(
        service, region_name=region, endpoint_url=aws.url, aws_access_key_id=key,
        aws_secret_access_key=secret, aws_session_token=token,
        config=Config(retries={"max_attempts": 0}, read_timeout=20))


def send(ses, to=("developer@example.com",), sender="envbot <envbot@example.com>", content=None,
         **more):
    return ses.send_email(FromEmailAddress=sender, Content=content or SIMPLE,
                          Destination={"ToAddresses": list(to)}, **more)


def refusal(call, *arguments, **more):
    """(status, name, text) of AWS's no."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **more)
    answer = refused.value.response
    return (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"],
            answer["Error"]["Message"])


# -- what it takes ----------------------------------------------------------------------------------
def test_a_mail_arrives_as_it_was_sent(aws):
    answer = send(client(aws, "sesv2"), EmailTags=[{"Name": "envbot_id", "Value": "7"}])
    assert answer["MessageId"] and answer["ResponseMetadata"]["RequestId"]
    (mail,) = aws.mails()
    assert (mail["subject"], mail["text"], mail["html"]) == ("Ready – at last", "It is ready.\n",
                                                             "<p>Ready</p>")
    assert mail["to"] == ["developer@example.com"] and mail["tags"] == {"envbot_id": "7"}


def test_a_raw_mail_is_read(aws):
    raw = (b"From: envbot@example.com\r\nTo: developer@example.com\r\nSubject: Raw\r\n"
           b"X-Envbot-Id: 9\r\n\r\nhello\r\n")
    send(client(aws, "sesv2"), content={"Raw": {"Data": raw}})
    (mail,) = aws.mails()
    assert (mail["subject"], mail["text"].strip()) == ("Raw", "hello")
    assert mail["headers"]["X-Envbot-Id"] == "9"


def test_the_account_tells_its_limits(aws):
    ses = client(aws, "sesv2")
    account = ses.get_account()
    assert account["ProductionAccessEnabled"] and account["SendQuota"]["MaxSendRate"] == 14.0
    aws.settings(sandbox=True)
    account = ses.get_account()
    assert not account["ProductionAccessEnabled"]
    assert account["SendQuota"]["Max24HourSend"] == 200.0


def test_a_message_is_published_to_a_topic(aws):
    sns = client(aws, "sns")
    assert sns.publish(TopicArn=TOPIC, Message="a & b <c>", Subject="envbot")["MessageId"]
    assert aws.messages()[0]["Message"] == "a & b <c>"
    assert refusal(sns.publish, TopicArn="arn:aws:sns:eu-west-1:111122223333:x",
                   Message="x")[1] == "InvalidParameter"
    assert refusal(sns.publish, TopicArn="arn:aws:sns:eu-central-1:999999999999:x",
                   Message="x")[:2] == (403, "AuthorizationError")
    for subject in ("x" * 101, "two\nlines", "Bücher"):
        assert refusal(sns.publish, TopicArn=TOPIC, Message="x", Subject=subject)[1] == \
            "InvalidParameter"


def test_the_caller_is_told_who_it_is(aws):
    assert client(aws, "sts").get_caller_identity()["Account"] == "111122223333"


def test_a_role_is_given_for_a_token_and_ends(aws):
    sts = client(aws, "sts")
    role = {"RoleArn": "arn:aws:iam::111122223333:role/envbot", "RoleSessionName": "envbot"}
    held = sts.assume_role_with_web_identity(WebIdentityToken="a token", **role)["Credentials"]
    keys = (held["AccessKeyId"], held["SecretAccessKey"])
    send(client(aws, "sesv2", *keys, held["SessionToken"]))
    assert len(aws.mails()) == 1
    for token in (None, "another"):
        assert refusal(send, client(aws, "sesv2", *keys, token))[1] == "UnrecognizedClientException"
    aws.settings(expire_sessions=True)
    assert refusal(send, client(aws, "sesv2", *keys, held["SessionToken"]))[:2] == (
        403, "ExpiredTokenException")
    assert refusal(sts.assume_role_with_web_identity, WebIdentityToken="expired",
                   **role)[1] == "ExpiredTokenException"
    assert refusal(sts.assume_role_with_web_identity, WebIdentityToken="a token", RoleSessionName="envbot",
                   RoleArn="arn:aws:iam::999999999999:role/x")[:2] == (403, "AccessDenied")


# -- whom it refuses --------------------------------------------------------------------------------
@pytest.mark.parametrize("service, unknown, wrong", [
    ("sesv2", "UnrecognizedClientException", "InvalidSignatureException"),
    ("sns", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    ("sts", "InvalidClientTokenId", "SignatureDoesNotMatch")])
def test_keys_that_are_unknown_or_wrong(aws, service, unknown, wrong):
    def call(**more):
        made = client(aws, service, **more)
        if service == "sesv2":
            send(made)
        elif service == "sns":
            made.publish(TopicArn=TOPIC, Message="x")
        else:
            made.get_caller_identity()
    call()
    assert refusal(call, key="AKIDOTHER")[:2] == (403, unknown)
    assert refusal(call, secret=SECRET[:-1] + "X")[:2] == (403, wrong)
    status, name, text = refusal(call, region="eu-west-1")
    assert (status, name) == (403, wrong) and "valid region" in text
    assert len(aws.mails()) + len(aws.messages()) == (service != "sts")


class Signed:
    """A request as botocore's signer leaves it, to be spoilt before it is sent."""

    def __init__(self, aws, service="ses", region=REGION, body=None, path="/v2/email/outbound-emails",
                 content="application/json"):
        self.aws = aws
        self.body = body if body is not None else json.dumps({
            "FromEmailAddress": "envbot@example.com", "Content": SIMPLE,
            "Destination": {"ToAddresses": ["developer@example.com"]}}).encode()
        self.request = AWSRequest("POST", aws.url + path, data=self.body,
                                  headers={"Content-Type": content})
        botocore.auth.SigV4Auth(Credentials(KEY, SECRET), service, region).add_auth(self.request)
        self.path, self.headers = path, dict(self.request.headers.items())
        self.host = urllib.parse.urlsplit(aws.url).netloc

    def replace(self, old, new):
        authorization = self.headers["Authorization"]
        assert old in authorization
        self.headers["Authorization"] = authorization.replace(old, new)

    def send(self):
        """(status, name, text)."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.aws.url).netloc, timeout=20)
        connection.putrequest("POST", self.path, skip_host=True)
        for name, value in {"Host": self.host, "Content-Length": str(len(self.body)),
                            **self.headers}.items():
            connection.putheader(name, value)
        connection.endheaders(self.body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), text


def test_what_botocore_signed_is_taken_as_it_is(aws):
    assert Signed(aws).send()[0] == 200


def test_a_wrong_byte_in_the_body(aws):
    request = Signed(aws)
    request.body = request.body.replace(b"It is ready", b"It is steady"[:11])
    assert request.send()[:2] == (403, "InvalidSignatureException")
    assert aws.mails() == []


def test_a_wrong_byte_in_the_signature(aws):
    request = Signed(aws)
    last = request.headers["Authorization"][-1]
    request.headers["Authorization"] = request.headers["Authorization"][:-1] + (
        "0" if last != "0" else "1")
    assert request.send()[:2] == (403, "InvalidSignatureException")


def test_another_path_or_query_than_was_signed(aws):
    request = Signed(aws)
    request.path += "?x=1"
    assert request.send()[:2] == (403, "InvalidSignatureException")


def test_a_wrong_host(aws):
    request = Signed(aws)
    request.host = "email.eu-central-1.amazonaws.com"
    assert request.send()[:2] == (403, "InvalidSignatureException")


@pytest.mark.parametrize("minutes, words", [(-6, "Signature expired"), (6, "not yet current")])
def test_a_clock_that_is_more_than_five_minutes_off(aws, monkeypatch, minutes, words):
    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return datetime.datetime.utcnow() + datetime.timedelta(minutes=shift)

    class Module:
        datetime = Clock
    monkeypatch.setattr(botocore.auth, "datetime", Module)
    shift = minutes * 2 / 3
    assert Signed(aws).send()[0] == 200  # four minutes are no matter
    shift = minutes
    status, name, text = Signed(aws).send()
    assert (status, name) == (403, "InvalidSignatureException") and words in text


def test_a_date_that_is_none_or_another_day_s(aws):
    request = Signed(aws)
    request.headers["X-Amz-Date"] = "yesterday"
    assert request.send()[:2] == (400, "IncompleteSignatureException")
    request = Signed(aws)
    request.replace(request.headers["X-Amz-Date"][:8], "20150830")
    status, name, text = request.send()
    assert (status, name) == (403, "InvalidSignatureException") and "Date in Credential" in text


def test_a_wrong_service_and_a_wrong_region(aws):
    status, name, text = Signed(aws, service="email").send()  # SES signs as "ses"
    assert (status, name) == (403, "InvalidSignatureException") and "service: 'ses'" in text
    status, name, text = Signed(aws, region="us-east-1").send()
    assert (status, name) == (403, "InvalidSignatureException") and "valid region" in text


def test_a_header_that_should_be_signed_and_one_that_is_not_there(aws):
    request = Signed(aws)
    request.headers["X-Amz-Extra"] = "x"
    status, name, text = request.send()
    assert (status, name) == (403, "InvalidSignatureException") and "'x-amz-extra' must be" in text
    request = Signed(aws)
    request.replace("SignedHeaders=content-type;host", "SignedHeaders=content-type;expect;host")
    assert "'expect' is named as a SignedHeader" in request.send()[2]
    request = Signed(aws)
    request.replace("SignedHeaders=content-type;host;", "SignedHeaders=content-type;")
    assert "'host' must be" in request.send()[2]


def test_no_authorization_and_half_of_one(aws):
    request = Signed(aws)
    del request.headers["Authorization"]
    assert request.send()[:2] == (403, "MissingAuthenticationTokenException")
    for spoilt in ("Bearer x", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x"):
        request = Signed(aws)
        request.headers["Authorization"] = spoilt
        assert request.send()[:2] == (400, "IncompleteSignatureException")


def test_the_query_protocol_answers_in_xml(aws):
    request = Signed(aws, "sts", body=b"Action=GetCallerIdentity&Version=2011-06-15", path="/",
                     content="application/x-www-form-urlencoded")
    assert "<Account>111122223333</Account>" in request.send()[2]
    request = Signed(aws, "sts", body=b"Action=Fly&Version=2011-06-15", path="/",
                     content="application/x-www-form-urlencoded")
    status, _, text = request.send()
    assert status == 400 and "<Code>InvalidAction</Code>" in text


# -- which mails it refuses -------------------------------------------------------------------------
def test_a_sender_that_is_not_verified(aws):
    ses = client(aws, "sesv2")
    status, name, text = refusal(send, ses, sender="other@example.com")
    assert (status, name) == (400, "MessageRejected")
    assert text == ("Email address is not verified. The following identities failed the check in "
                    "region EU-CENTRAL-1: other@example.com")
    aws.settings(verify=["other@example.com"])
    send(ses, sender="other@example.com")


def test_the_sandbox_knows_verified_people_alone(aws):
    ses = client(aws, "sesv2")
    aws.settings(sandbox=True)
    status, name, text = refusal(send, ses)
    assert (status, name) == (400, "MessageRejected") and text.endswith(": developer@example.com")
    aws.settings(verify=["developer@example.com"])
    send(ses)
    send(ses, to=["success@simulator.amazonses.com"])
    assert len(aws.mails()) == 2


def test_fifty_people_and_no_more(aws):
    ses = client(aws, "sesv2")
    people = [f"p{n}@example.com" for n in range(51)]
    send(ses, to=people[:50])
    assert refusal(send, ses, to=people)[2] == "Recipient count exceeds 50."
    assert refusal(send, ses, to=[])[1] == "BadRequestException"


@pytest.mark.parametrize("address", ["developer", "@example.com", "a b@example.com", "a@example",
                                     "bücher@example.com", "a@example.com\n"])
def test_one_address_that_is_none_refuses_the_whole_mail(aws, address):
    status, name, _ = refusal(send, client(aws, "sesv2"), to=["developer@example.com", address])
    assert (status, name) == (400, "BadRequestException")
    assert aws.mails() == []


@pytest.mark.parametrize("spoil, name", [
    (lambda m: m.update(Subject="x"), "SerializationException"),
    (lambda m: m.pop("FromEmailAddress"), "BadRequestException"),
    (lambda m: m.update(Content={}), "BadRequestException"),
    (lambda m: m.update(Content={"Simple": {"Subject": {"Data": "x"}}}), "BadRequestException"),
    (lambda m: m.update(Content={"Simple": {"Subject": {"Data": "a\nb"},
                                            "Body": {"Text": {"Data": "x"}}}}), "BadRequestException"),
    (lambda m: m["Destination"].update(To=["a@example.com"]), "SerializationException"),
    (lambda m: m.update(EmailTags=[{"Name": "a b", "Value": "x"}]), "BadRequestException"),
    (lambda m: m["Content"]["Simple"].update(Headers=[{"Name": "X", "Value": "a\r\nBcc: b@x.de"}]),
     "BadRequestException")])
def test_a_mail_that_is_no_mail(aws, spoil, name):
    mail = json.loads(json.dumps({"FromEmailAddress": "envbot@example.com", "Content": SIMPLE,
                                  "Destination": {"ToAddresses": ["developer@example.com"]}}))
    spoil(mail)
    assert Signed(aws, body=json.dumps(mail).encode()).send()[:2] == (400, name)
    assert aws.mails() == []


def test_what_is_no_json_and_what_is_no_operation(aws):
    assert Signed(aws, body=b"{").send()[:2] == (400, "SerializationException")
    assert Signed(aws, content="text/plain").send()[:2] == (400, "BadRequestException")
    assert Signed(aws, path="/v2/email/templates").send()[:2] == (404, "UnknownOperationException")


# -- what goes wrong on demand ----------------------------------------------------------------------
@pytest.mark.parametrize("do, status, name, text", [
    ("throttle", 429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    ("daily_quota", 429, "TooManyRequestsException", "Daily message quota exceeded."),
    ("suspended", 400, "AccountSuspendedException", "Account is suspended."),
    ("paused", 400, "SendingPausedException", "Sending is paused for this account."),
    ("expired_token", 403, "ExpiredTokenException",
     "The security token included in the request is expired"),
    ("internal", 500, "InternalServiceError", "An internal service error occurred.")])
def test_a_fault_is_for_the_next_call(aws, do, status, name, text):
    ses = client(aws, "sesv2")
    aws.fault("SendEmail", do)
    assert refusal(send, ses) == (status, name, text)
    send(ses)
    assert [c["status"] for c in aws.calls()] == [status, 200]


def test_sending_faster_than_the_account_may_is_throttled(aws):
    ses = client(aws, "sesv2")
    aws.settings(rate=2)
    send(ses, to=["a@example.com", "b@example.com"])
    assert refusal(send, ses)[2] == "Maximum sending rate exceeded."
    aws.settings(sandbox=True, rate=1000, verify=["example.com"])
    for _ in range(3):
        send(ses, to=[f"p{n}@example.com" for n in range(50)])
    assert refusal(send, ses, to=[f"p{n}@example.com" for n in range(49)])[2] == \
        "Daily message quota exceeded."  # it counts people


def test_an_answer_is_lost_after_its_effect(aws):
    aws.fault("SendEmail", "lose")
    with pytest.raises(HTTPClientError):
        send(client(aws, "sesv2"))
    assert len(aws.mails()) == 1
