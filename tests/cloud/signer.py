"""A signer of version 4 for requests that no client makes on purpose, and raw connections."""
import datetime
import hashlib
import hmac
import http.client
import urllib.parse

from service import ACCOUNTS, REGION


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    """Signs for one account and one service, at one time."""

    def __init__(self, account, service="s3", now=None):
        self.access_key, secret = ACCOUNTS[account]
        now = now or datetime.datetime.now(datetime.timezone.utc)
        self.time = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.time[:8]}/{REGION}/{service}/aws4_request"
        self.key = ("AWS4" + secret).encode()
        for part in self.scope.split("/"):
            self.key = mac(self.key, part)
        self.signature = None

    def sign(self, text):
        return mac(self.key, text).hex()

    def headers(self, method, url, payload, extra=None):
        """The headers of a request, signed; `payload` is a hash or one of S3's words."""
        at = urllib.parse.urlsplit(url)
        headers = {"host": at.netloc, "x-amz-date": self.time, "x-amz-content-sha256": payload}
        headers.update({k.lower(): v for k, v in (extra or {}).items()})
        names = ";".join(sorted(headers))
        query = "&".join(sorted(at.query.split("&"))) if at.query else ""
        canonical = "\n".join(
            [method, at.path, query] +
            [f"{name}:{headers[name]}" for name in sorted(headers)] + ["", names, payload])
        self.signature = self.sign("\n".join(
            ["AWS4-HMAC-SHA256", self.time, self.scope, sha256(canonical.encode())]))
        headers["authorization"] = \
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, " \
            f"SignedHeaders={names}, Signature={self.signature}"
        return headers

    def chunk(self, data):
        """A chunk of a body, signed after the one before it."""
        self.signature = self.sign("\n".join(
            ["AWS4-HMAC-SHA256-PAYLOAD", self.time, self.scope, self.signature, sha256(b""),
             sha256(data)]))
        return f"{len(data):x};chunk-signature={self.signature}\r\n".encode() + data + \
            (b"\r\n" if data else b"")

    def trailer(self, name, value):
        self.signature = self.sign("\n".join(
            ["AWS4-HMAC-SHA256-TRAILER", self.time, self.scope, self.signature,
             sha256(f"{name}:{value}\n".encode())]))
        return f"{name}:{value}\r\nx-amz-trailer-signature:{self.signature}\r\n\r\n".encode()


def send(url, method, headers, body=b"", chunked=False):
    """(status, headers, text) of a request that is sent as it is given."""
    at = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
    try:
        connection.putrequest(method, at.path + ("?" + at.query if at.query else ""),
                              skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if chunked:
            connection.putheader("transfer-encoding", "chunked")
        elif body or method in ("PUT", "POST"):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders()
        if chunked:
            for i in range(0, len(body), 50_000):
                piece = body[i:i + 50_000]
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")
        else:
            connection.send(body)
        got = connection.getresponse()
        return got.status, dict(got.getheaders()), got.read()
    finally:
        connection.close()
