"""Signature Version 4, recomputed from the request as it came (docs.aws.amazon.com, "Create a signed
AWS API request"). Returns the error that AWS answers, or None."""

import datetime
import hashlib
import hmac
from urllib.parse import quote, unquote_plus

MOST_SKEW = 300  # seconds


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
        raise Refused(403, "IncompleteSignatureException", "Authorization header requires AWS4.")
    parts = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    missing = [n for n in ("Credential", "SignedHeaders", "Signature") if not parts.get(n)]
    if missing:
        raise Refused(403, "IncompleteSignatureException",
                      f"Authorization header requires {missing[0]} parameter.")
    return parts


def verify(method, path, query, headers, body, keys, service, now=None):
    """keys: {access key id: (secret, session token or None)}. Raises Refused."""
    headers = {k.lower(): v for k, v in headers.items()}
    if "authorization" not in headers:
        raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = parse_authorization(headers["authorization"])
    key_id, _, scope = parts["Credential"].partition("/")
    if key_id not in keys:
        raise Refused(403, "UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    secret, token = keys[key_id]
    if token and headers.get("x-amz-security-token") != token:
        raise Refused(403, "UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    stamp = headers.get("x-amz-date", "")
    scope_parts = scope.split("/")
    if len(scope_parts) != 4 or scope_parts[3] != "aws4_request" or scope_parts[2] != service:
        raise Refused(403, "SignatureDoesNotMatch",
                      f"Credential should be scoped to correct service: '{service}'.")
    if not stamp.startswith(scope_parts[0]):
        raise Refused(403, "SignatureDoesNotMatch", "Date in Credential scope does not match.")
    try:
        at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    except ValueError:
        raise Refused(403, "IncompleteSignatureException", "Date must be in ISO-8601 basic format.")
    skew = abs(((now or datetime.datetime.utcnow()) - at).total_seconds())
    if skew > MOST_SKEW:
        raise Refused(403, "InvalidSignatureException", f"Signature expired: {stamp} is too far.")
    signed = parts["SignedHeaders"].split(";")
    must = {"host"} | {h for h in headers if h.startswith("x-amz-")}
    must |= {"content-type"} & set(headers)
    for name in signed:
        if name not in headers:
            raise Refused(403, "SignatureDoesNotMatch", f"'{name}' is named as a SignedHeader, but "
                          "it does not exist in the HTTP request.")
    if signed != sorted(signed) or not must <= set(signed):
        raise Refused(403, "SignatureDoesNotMatch",
                      "'Host', 'Content-Type' or an 'X-Amz-' header must be a SignedHeader.")
    payload_hash = headers.get("x-amz-content-sha256", sha256(body))
    if payload_hash not in (sha256(body), "UNSIGNED-PAYLOAD"):
        raise Refused(400, "XAmzContentSHA256Mismatch", "The provided hash does not match.")
    canonical = canonical_request(method, path, query, headers, signed, payload_hash)
    if not hmac.compare_digest(signature(secret, stamp, scope, canonical), parts["Signature"]):
        raise Refused(403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method.")
