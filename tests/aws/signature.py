"""Signature Version 4, recomputed from the request as it came (docs.aws.amazon.com, "Create a signed
AWS API request"). Returns the error that AWS answers, or None."""

import datetime
import hashlib
import hmac
from urllib.parse import quote, unquote_plus

MOST_SKEW = 300  # seconds
FORM = "%Y%m%dT%H%M%SZ"


class Refused(Exception):
    def __init__(self, status, error, message):
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, date, region, service):
    key = sign(("AWS4" + secret).encode(), date)
    for part in (region, service, "aws4_request"):
        key = sign(key, part)
    return key


def canonical_query(query):
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((quote(unquote_plus(name), safe="-_.~"), quote(unquote_plus(value), safe="-_.~")))
    return "&".join(f"{n}={v}" for n, v in sorted(pairs))


def canonical_request(method, path, query, headers, signed, payload_hash):
    """headers: lower-case name -> value as sent. The path is encoded once more (all but S3)."""
    lines = [method, quote(path or "/", safe="/-_.~"), canonical_query(query)]
    lines += [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    lines += ["", ";".join(signed), payload_hash]
    return "\n".join(lines)


def signature(secret, stamp, scope, canonical):
    date, region, service, _ = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical.encode())])
    return hmac.new(signing_key(secret, date, region, service), text.encode(),
                    hashlib.sha256).hexdigest()


def parse_authorization(header):
    kind, _, rest = header.partition(" ")
    if kind != "AWS4-HMAC-SHA256":
        raise Refused(400, "IncompleteSignatureException", "Authorization header requires AWS4.")
    parts = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    missing = [n for n in ("Credential", "SignedHeaders", "Signature") if not parts.get(n)]
    if missing:
        raise Refused(400, "IncompleteSignatureException",
                      f"Authorization header requires {missing[0]} parameter.")
    return parts


def check_date(stamp, now):
    try:
        at = datetime.datetime.strptime(stamp, FORM)
    except ValueError:
        raise Refused(400, "IncompleteSignatureException",
                      f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.")
    apart = (now - at).total_seconds()
    if abs(apart) <= MOST_SKEW:
        return
    late = apart > 0
    limit = (now - datetime.timedelta(seconds=MOST_SKEW if late else -MOST_SKEW)).strftime(FORM)
    raise Refused(403, "InvalidSignatureException",
                  f"Signature {'expired' if late else 'not yet current'}: {stamp} is "
                  f"{'now earlier' if late else 'still later'} than {limit} "
                  f"({now.strftime(FORM)} {'-' if late else '+'} 5 min.)")


def check_scope(scope, stamp, service, region):
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request":
        raise Refused(400, "IncompleteSignatureException",
                      "Credential must have exactly 5 slash-delimited elements.")
    if parts[1] != region:
        raise Refused(403, "InvalidSignatureException",
                      "Credential should be scoped to a valid region.")
    if parts[2] != service:
        raise Refused(403, "InvalidSignatureException",
                      f"Credential should be scoped to correct service: '{service}'.")
    if not stamp.startswith(parts[0]):
        raise Refused(403, "InvalidSignatureException",
                      "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                      "date from HTTP.")


def check_headers(signed, headers):
    for name in signed:
        if name not in headers:
            raise Refused(403, "InvalidSignatureException", f"'{name}' is named as a SignedHeader, "
                          "but it does not exist in the HTTP request.")
    must = {"host"} | ({"content-type"} & set(headers)) | {h for h in headers
                                                          if h.startswith("x-amz-")}
    for name in sorted(must - set(signed)):
        raise Refused(403, "InvalidSignatureException",
                      f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def verify(method, path, query, headers, body, keys, service, region, now=None):
    """keys: {access key id: (secret, session token or None, expired or not)}. Raises Refused, with
    the names of the JSON protocols."""
    headers = {k.lower(): v for k, v in headers.items()}
    now = now or datetime.datetime.utcnow()
    if "authorization" not in headers:
        raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = parse_authorization(headers["authorization"])
    stamp = headers.get("x-amz-date", "")
    key_id, _, scope = parts["Credential"].partition("/")
    check_date(stamp, now)
    check_scope(scope, stamp, service, region)
    secret, token, expired = keys.get(key_id, (None, None, False))
    if secret is None or headers.get("x-amz-security-token") != token:
        raise Refused(403, "UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    signed = parts["SignedHeaders"].split(";")
    check_headers(signed, headers)
    canonical = canonical_request(method, path, query, headers, signed, sha256(body))
    if signed != sorted(signed) or not hmac.compare_digest(
            signature(secret, stamp, scope, canonical), parts["Signature"]):
        raise Refused(403, "InvalidSignatureException",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method. Consult the "
                      "service documentation for details.")
    if expired:
        raise Refused(403, "ExpiredTokenException",
                      "The security token included in the request is expired")
