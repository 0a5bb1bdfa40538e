"""Bodies in chunks and with checksums: as boto3 sends them, and as nobody should."""
import base64
import hashlib
import os
import random
import re
import subprocess
import zlib

import boto3
import botocore.config

from clients import ONE, client, fails, running
from service import ACCOUNTS, REGION
from signer import Signer, send, sha256

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC32 = "x-amz-checksum-crc32"


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def code(text):
    found = re.search(rb"<Code>(.*?)</Code>", text)
    return found.group(1).decode() if found else None


def put(s, mode, data, spoil=lambda body: body, trailer=None, size=65536, extra=None,
        announced=None, chunked=False):
    """(status, code, headers) of an object put in chunks by our own signer."""
    signer = Signer(ONE)
    extra = dict({"content-encoding": "aws-chunked",
                  "x-amz-decoded-content-length": str(len(data) if announced is None
                                                      else announced)}, **(extra or {}))
    if mode != SIGNED:
        extra.setdefault("x-amz-trailer", CRC32)
    url = f"{s.url}/chunks/key"
    headers = signer.headers("PUT", url, mode, extra)
    body = b""
    pieces = [data[i:i + size] for i in range(0, len(data), size)] + [b""]
    for piece in pieces:
        if mode == UNSIGNED:
            body += b"%x\r\n" % len(piece) + piece + (b"\r\n" if piece else b"")
        else:
            body += signer.chunk(piece)
    value = trailer or crc32(data)
    if mode == SIGNED:
        body += b"\r\n"
    elif mode == TRAILED:
        body += signer.trailer(CRC32, value)
    else:
        body += f"{CRC32}:{value}\r\n\r\n".encode()
    status, answer, text = send(url, "PUT", headers, spoil(body), chunked)
    return status, code(text), answer


def chunks_by_hand(program, work):
    """Each form, with a length and without one; each thing that can be wrong with it."""
    data = random.Random(7).randbytes(200_000)
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="chunks")
        for mode in (SIGNED, TRAILED, UNSIGNED):
            for content in (data, b"", b"x"):
                for chunked in (False, True):
                    status, why, headers = put(s, mode, content, chunked=chunked)
                    assert status == 200, (mode, len(content), chunked, why)
                    assert mode == SIGNED or headers.get(CRC32) == crc32(content), headers
                    got = c.get_object(Bucket="chunks", Key="key")
                    assert got["Body"].read() == content
                    assert "ContentEncoding" not in got, got
            status, why, _ = put(s, mode, data, size=1000)
            assert status == 200, why
            c.delete_object(Bucket="chunks", Key="key")
            changed = bytes([data[5] ^ 1])
            for spoil, want in (
                    (lambda b: b.replace(data[:5] + data[5:6], data[:5] + changed, 1),
                     "BadDigest" if mode == UNSIGNED else "SignatureDoesNotMatch"),
                    (lambda b: b[:-200_000], "IncompleteBody"),
                    (lambda b: b[b.index(b"\n") + 1:], "InvalidChunkSizeError"),
                    (lambda b: b.replace(b"\r\n", b"xx\r\n", 1), None),
                    (lambda b: b + b"x-amz-checksum-sha1:AAAA\r\n", "MalformedTrailerError")):
                status, why, _ = put(s, mode, data, spoil)
                assert status in (400, 403) and (want is None or why == want), (mode, want, why)
            assert put(s, mode, data, announced=len(data) - 1)[1] == "IncompleteBody"
            assert put(s, mode, data, announced=len(data) + 1)[1] == "IncompleteBody"
            assert put(s, mode, data, announced="many")[0] == 411
            fails("NoSuchKey", c.get_object, Bucket="chunks", Key="key")
        assert put(s, TRAILED, data, trailer=crc32(b"other"))[1] == "BadDigest"
        assert put(s, UNSIGNED, data, trailer=crc32(b"other"))[1] == "BadDigest"
        assert put(s, UNSIGNED, data, extra={"x-amz-trailer": "x-amz-meta-a"})[1] == \
            "InvalidRequest"
        assert put(s, SIGNED, data, extra={"x-amz-trailer": CRC32})[1] == "InvalidRequest"
        assert put(s, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", data)[1] == "NotImplemented"
        assert put(s, UNSIGNED, data, announced=1 << 60)[1] == "EntityTooLarge"
        fails("NoSuchKey", c.get_object, Bucket="chunks", Key="key")
    assert not [f for _, _, files in os.walk(f"{work}/state") for f in files if len(f) == 32]


def chunks_checksums(program, work):
    """A checksum in a header: checked, told again to who asks, refused when it is another one."""
    data = random.Random(8).randbytes(100_000)
    sums = {"sha1": base64.b64encode(hashlib.sha1(data).digest()).decode(),
            "sha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
            "crc32": crc32(data)}
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="sums")
        for kind, value in sums.items():
            name = f"Checksum{kind.upper()}"
            put_ = c.put_object(Bucket="sums", Key=kind, Body=data, **{name: value})
            assert put_[name] == value, put_
            assert name not in c.head_object(Bucket="sums", Key=kind)
            assert c.head_object(Bucket="sums", Key=kind, ChecksumMode="ENABLED")[name] == value
            got = c.get_object(Bucket="sums", Key=kind, ChecksumMode="ENABLED")
            assert got["Body"].read() == data  # botocore checks it, too
            assert name not in c.get_object(Bucket="sums", Key=kind, ChecksumMode="ENABLED",
                                            Range="bytes=1-2")
            fails("BadDigest", c.put_object, Bucket="sums", Key="bad", Body=data + b"x",
                  **{name: value})
        fails("InvalidRequest", c.put_object, Bucket="sums", Key="bad", Body=data,
              ChecksumSHA1=sums["sha1"], ChecksumCRC32=sums["crc32"])
        up = c.create_multipart_upload(Bucket="sums", Key="parts",
                                       ChecksumAlgorithm="SHA256")["UploadId"]
        part = c.upload_part(Bucket="sums", Key="parts", UploadId=up, PartNumber=1, Body=data,
                             ChecksumSHA256=sums["sha256"])
        assert part["ChecksumSHA256"] == sums["sha256"]
        c.complete_multipart_upload(Bucket="sums", Key="parts", UploadId=up, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"],
                       "ChecksumSHA256": part["ChecksumSHA256"]}]})
        c.delete_objects(Bucket="sums", ChecksumAlgorithm="SHA1",
                         Delete={"Objects": [{"Key": "parts"}]})
        fails("NoSuchKey", c.get_object, Bucket="sums", Key="bad")


def chunks_headers(program, work):
    """What is kept with an object comes back; what the store does not do is refused."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="headers", ACL="private")
        kept = {"CacheControl": "no-cache", "ContentDisposition": "attachment",
                "ContentEncoding": "gzip", "ContentLanguage": "de"}
        for acl in ("private", "aws-exec-read"):
            c.put_object(Bucket="headers", Key="k", Body=b"x", ACL=acl, **kept)
        got = c.get_object(Bucket="headers", Key="k")
        assert {k: got[k] for k in kept} == kept, got
        for asked in ({"ACL": "public-read"}, {"StorageClass": "GLACIER"}, {"Tagging": "a=b"},
                      {"ServerSideEncryption": "AES256"},
                      {"WebsiteRedirectLocation": "/x"}):
            message = fails("NotImplemented", c.put_object, Bucket="headers", Key="no", Body=b"x",
                            **asked)
            assert "x-amz-" in message.lower(), message
        fails("NotImplemented", c.create_bucket, Bucket="locked",
              ObjectLockEnabledForBucket=True)
        c.put_object(Bucket="headers", Key="k", Body=b"y", ExpectedBucketOwner=ONE)
        fails("AccessDenied", c.put_object, Bucket="headers", Key="k", Body=b"z",
              ExpectedBucketOwner="999988887777")
        assert c.get_object(Bucket="headers", Key="k")["Body"].read() == b"y"
        fails("NoSuchKey", c.get_object, Bucket="headers", Key="no")


def chunks_boto3(program, work):
    """boto3 over HTTPS sends checksums in trailers; curl signs requests by itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", f"{work}/key.pem", "-out", f"{work}/cert.pem"],
                   check=True, capture_output=True)
    data = random.Random(9).randbytes(3_000_000)
    key, secret = ACCOUNTS[ONE]
    with running(program, work, extra=f"tls-certificate = {work}/cert.pem\n"
                                      f"tls-key = {work}/key.pem") as s:
        c = boto3.client("s3", endpoint_url=s.url, region_name=REGION, aws_access_key_id=key,
                         aws_secret_access_key=secret, verify=f"{work}/cert.pem",
                         config=botocore.config.Config(retries={"max_attempts": 0},
                                                       s3={"addressing_style": "path"}))
        seen = []
        c.meta.events.register("before-send.s3.PutObject",
                               lambda request, **_: seen.append(dict(request.headers)))
        c.create_bucket(Bucket="tls")
        for kind in ("CRC32", "SHA1", "SHA256"):
            c.put_object(Bucket="tls", Key=kind, Body=data, ChecksumAlgorithm=kind)
            got = c.get_object(Bucket="tls", Key=kind, ChecksumMode="ENABLED")
            assert got["Body"].read() == data and got[f"Checksum{kind}"]
        assert len(seen) == 3 and all(b"STREAMING-UNSIGNED" in str(h).encode() for h in seen), seen
        with open(f"{work}/netrc", "w") as f:
            f.write(f"machine 127.0.0.1 login {key} password {secret}\n")
        with open(f"{work}/data", "wb") as f:
            f.write(data)
        curl = ["curl", "-sS", "--fail", "--cacert", f"{work}/cert.pem", "--netrc-file",
                f"{work}/netrc", "--aws-sigv4", f"aws:amz:{REGION}:s3"]
        subprocess.run(curl + ["-H", f"x-amz-content-sha256: {sha256(data)}", "-T", f"{work}/data",
                               f"{s.url}/tls/curl%20key"], check=True, timeout=60)
        back = subprocess.run(curl + ["-H", f"x-amz-content-sha256: {sha256(b'')}",
                                      f"{s.url}/tls/curl%20key"], check=True, timeout=60,
                              capture_output=True).stdout
        assert back == data


CASES = [chunks_by_hand, chunks_checksums, chunks_headers, chunks_boto3]
