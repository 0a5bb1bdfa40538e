"""What an account's buckets may hold: stored, on its way, and in rows that have no bytes."""
import contextlib
import os
import sqlite3
import threading

import boto3
import botocore.config

from cases_hostile import connect, patience
from clients import ONE, TWO, client, fails, running, running_as
from service import REGION, write, write_config
from signer import Signer, send, sha256

MIB = 1 << 20


@contextlib.contextmanager
def on_its_way(s, path, size, account=ONE):
    """A body that was announced, and of which but a part comes."""
    headers = Signer(account).headers("PUT", s.url + path, "UNSIGNED-PAYLOAD")
    with connect(s) as sock:
        sock.sendall(f"PUT {path} HTTP/1.1\r\n".encode() + "".join(
            f"{k}: {v}\r\n" for k, v in headers.items()).encode() +
            f"Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n".encode())
        got = sock.recv(65536)
        assert got.startswith(b"HTTP/1.1 100 "), got
        sock.sendall(bytes(size // 2))
        yield sock


def temporary_bytes(work):
    return sum(os.path.getsize(f"{work}/state/tmp/{f}") for f in os.listdir(f"{work}/state/tmp"))


def quota_announced(program, work):
    """Bodies on their way count as if they were stored; those that break off count no more."""
    path = write_config(work, quota="3M")
    write(f"{work}/secret-new", "the-secret-of-a-new-key-0000001\n")
    with open(path, "a") as f:  # the same account by another key, as while keys are changed
        f.write(f"[account {ONE}]\naccess-key = TESTKEYNEW\nsecret-file = {work}/secret-new\n"
                "quota = 3M\n")
    with running_as(program, path) as s:
        c, two = client(s, "s3"), client(s, "s3", TWO)
        again = boto3.client(
            "s3", endpoint_url=s.url, region_name=REGION, aws_access_key_id="TESTKEYNEW",
            aws_secret_access_key="the-secret-of-a-new-key-0000001",
            config=botocore.config.Config(retries={"max_attempts": 0},
                                          s3={"addressing_style": "path"}))
        c.create_bucket(Bucket="one")
        two.create_bucket(Bucket="two")
        up = c.create_multipart_upload(Bucket="one", Key="p")["UploadId"]
        part = {"Bucket": "one", "Key": "p", "UploadId": up, "PartNumber": 1}
        with on_its_way(s, "/one/first", 2 * MIB):
            for which in (c, again):
                fails("QuotaExceeded", which.put_object, Bucket="one", Key="k", Body=bytes(MIB + 1))
            fails("QuotaExceeded", c.upload_part, Body=bytes(MIB + 1), **part)
            url = f"{s.url}/one/chunks"
            status, _, text = send(url, "PUT", Signer(ONE).headers(
                "PUT", url, "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                {"x-amz-decoded-content-length": str(MIB + 1), "x-amz-trailer": "x-amz-checksum-crc32"}),
                b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
            assert status == 403 and b"QuotaExceeded" in text, (status, text)
            c.put_object(Bucket="one", Key="k", Body=bytes(MIB // 4))
            two.put_object(Bucket="two", Key="k", Body=bytes(2 * MIB))
            with on_its_way(s, "/one/second", MIB // 2):
                fails("QuotaExceeded", c.put_object, Bucket="one", Key="l", Body=bytes(MIB // 2))
        with patience(60) as go_on:
            while go_on() and temporary_bytes(work) > 0:
                pass
        with patience(60) as go_on:  # the file goes a moment before the count of its bytes
            while go_on():
                with contextlib.suppress(c.exceptions.ClientError):
                    c.upload_part(Body=bytes(2 * MIB), **part)
                    break


def quota_refused(program, work):
    """A body that was refused stands in nobody's way from the moment that its client knows."""
    with running(program, work, quota="3M") as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="refused")
        body = bytes(2 * MIB)

        def put(path, want, payload=sha256(body), sent=body, extra=None):
            url = s.url + path
            status, _, text = send(url, "PUT", Signer(ONE).headers("PUT", url, payload, extra), sent)
            assert want in (text or b"stored"), (path, status, text)

        for _ in range(5):
            put("/refused/k", b"XAmzContentSHA256Mismatch", payload=sha256(b""))
            put("/refused/k", b"BadDigest", extra={"Content-MD5": "A" * 22 + "=="})
            put("/refused/k", b"InvalidRequest", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                extra={"x-amz-decoded-content-length": str(len(body))})
            put("/refused/k", b"InvalidChunkSizeError", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                b"zz\r\n", {"x-amz-decoded-content-length": str(len(body)),
                            "x-amz-trailer": "x-amz-checksum-crc32"})
            put("/refused/k?partNumber=1&uploadId=none", b"NoSuchUpload")
            put("/refused/k?partNumber=0&uploadId=none", b"InvalidArgument")
            put("/refused/k", b"MetadataTooLarge", extra={"x-amz-meta-a": "x" * 2100})
            put("/refused/k", b"stored")
            c.delete_object(Bucket="refused", Key="k")
        assert temporary_bytes(work) == 0


def quota_once(program, work):
    """Several clients put and delete, with room for one object of each: a body that is stored now
    was not refused for what another one is counted as, on its way and stored at once."""
    workers, size = 4, 20_000
    with running(program, work, extra="threads = 8", quota=str(workers * (size + 1200))) as s:
        c = client(s, "s3", max_pool_connections=workers)
        c.create_bucket(Bucket="once")
        failures = []

        def put(number):
            try:
                for _ in range(100):
                    c.put_object(Bucket="once", Key=f"k{number}", Body=bytes(size))
                    c.delete_object(Bucket="once", Key=f"k{number}")
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)

        threads = [threading.Thread(target=put, args=(i,)) for i in range(workers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[:3]
        fails("QuotaExceeded", c.put_object, Bucket="once", Key="l", Body=bytes(workers * (size + 1200) + 1))


def until_full(c, make):
    """How many there were when there was no room for one more."""
    for nr in range(200):
        try:
            make(nr)
        except c.exceptions.ClientError as e:
            assert e.response["Error"]["Code"] == "QuotaExceeded", e
            return nr
    raise AssertionError("there is no end")


def quota_rows(program, work):
    """What has no bytes costs something, too, and gives it back."""
    with running(program, work, quota="100K") as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="rows")
        rows = {"Bucket": "rows"}
        ids = []
        assert 80 < until_full(c, lambda nr: ids.append(
            c.create_multipart_upload(Key="k", **rows)["UploadId"])) < 100
        fails("QuotaExceeded", c.put_object, Key="k", Body=b"", **rows)
        fails("QuotaExceeded", c.upload_part, Key="k", UploadId=ids[0], PartNumber=1, Body=b"", **rows)
        c.abort_multipart_upload(Key="k", UploadId=ids.pop(), **rows)
        c.abort_multipart_upload(Key="k", UploadId=ids.pop(), **rows)
        etag = c.upload_part(Key="k", UploadId=ids[0], PartNumber=1, Body=b"", **rows)["ETag"]
        c.complete_multipart_upload(Key="k", UploadId=ids.pop(0), MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": etag}]}, **rows)
        for i in ids:
            c.abort_multipart_upload(Key="k", UploadId=i, **rows)
        assert 20 < until_full(c, lambda nr: c.put_object(
            Key=f"long{nr}", Body=b"", Metadata={"a": "x" * 1900}, **rows)) < 35
        keys = [o["Key"] for o in c.list_objects_v2(**rows)["Contents"]]
        fails("QuotaExceeded", c.put_object, Key=keys[0], Body=b"", **rows)  # for a moment there are both
        c.delete_object(Key=keys.pop(), **rows)
        c.put_object(Key=keys[0], Body=b"", **rows)
        c.delete_objects(Delete={"Objects": [{"Key": k} for k in keys]}, **rows)
        with contextlib.closing(sqlite3.connect(f"file:{work}/state/state.db?mode=ro",
                                                uri=True)) as db:
            assert db.execute("SELECT * FROM usage").fetchall() == [(ONE, 0, 0)]
        up = c.create_multipart_upload(Key="k", **rows)["UploadId"]
        assert 80 < until_full(c, lambda nr: c.upload_part(
            Key="k", UploadId=up, PartNumber=nr + 1, Body=b"", **rows)) < 100
        # A row takes room from what is on its way no less than a body.
        c.abort_multipart_upload(Key="k", UploadId=up, **rows)
        with on_its_way(s, "/rows/large", 90_000):
            assert until_full(c, lambda nr: c.create_multipart_upload(Key="k", **rows)) < 15


CASES = [quota_announced, quota_refused, quota_once, quota_rows]
