"""The bucket store, driven by boto3 and `aws s3api`."""
import base64
import hashlib
import json
import os
import random
import sqlite3
import threading
import time
import urllib.error
import urllib.request

from clients import ONE, TWO, aws, client, fails, running
from service import Service, write_config


def s3_objects(program, work):
    """What is put comes back, whole and in ranges; head, list and delete agree."""
    data = random.Random(1).randbytes(300_000)
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="bundle-1")
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        put = c.put_object(Bucket="bundle-1", Key="a/b c+d%~ü", Body=data, ContentMD5=md5,
                           ContentType="image/x", Metadata={"who": "me", "Zwei": "2"})
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        assert put["ETag"] == etag
        got = c.get_object(Bucket="bundle-1", Key="a/b c+d%~ü")
        assert got["Body"].read() == data
        assert got["ContentType"] == "image/x" and got["ETag"] == etag
        assert got["Metadata"] == {"who": "me", "zwei": "2"}
        head = c.head_object(Bucket="bundle-1", Key="a/b c+d%~ü")
        assert head["ContentLength"] == len(data) and head["ETag"] == etag
        for text, want in (("bytes=0-0", data[:1]), ("bytes=5-9", data[5:10]),
                           ("bytes=299999-", data[-1:]), ("bytes=-7", data[-7:]),
                           ("bytes=10-9999999", data[10:])):
            part = c.get_object(Bucket="bundle-1", Key="a/b c+d%~ü", Range=text)
            assert part["Body"].read() == want, text
            assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        fails("InvalidRange", c.get_object, Bucket="bundle-1", Key="a/b c+d%~ü",
              Range="bytes=300000-")
        c.put_object(Bucket="bundle-1", Key="a/b c+d%~ü", Body=b"")
        assert c.get_object(Bucket="bundle-1", Key="a/b c+d%~ü")["Body"].read() == b""
        fails("BucketNotEmpty", c.delete_bucket, Bucket="bundle-1")
        c.delete_object(Bucket="bundle-1", Key="a/b c+d%~ü")
        fails("NoSuchKey", c.get_object, Bucket="bundle-1", Key="a/b c+d%~ü")
        fails("404", c.head_object, Bucket="bundle-1", Key="a/b c+d%~ü")
        c.delete_bucket(Bucket="bundle-1")
        fails("NoSuchBucket", c.list_objects_v2, Bucket="bundle-1")
    assert not [f for _, _, files in os.walk(f"{work}/state/files") for f in files]


def s3_digests(program, work):
    """A body that is not what the client says is refused, and nothing of it is kept."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="bucket")
        wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
        fails("BadDigest", c.put_object, Bucket="bucket", Key="k", Body=b"this", ContentMD5=wrong)
        fails("InvalidDigest", c.put_object, Bucket="bucket", Key="k", Body=b"this",
              ContentMD5="abc")

        def spoil(request, **_):
            request.body = b"that"

        c.meta.events.register("before-send.s3.PutObject", spoil)
        fails("XAmzContentSHA256Mismatch", c.put_object, Bucket="bucket", Key="k", Body=b"this")
        c.meta.events.unregister("before-send.s3.PutObject", spoil)
        fails("NoSuchKey", c.get_object, Bucket="bucket", Key="k")
    assert not [f for _, _, files in os.walk(f"{work}/state") for f in files if len(f) == 32]


def s3_lists(program, work):
    """Pages, prefixes and delimiters, as a plain list in Python gives them."""
    keys = sorted({f"{a}{b}{c}" for a in ("", "x/", "x/y/", "z") for b in ("a", "b/", "c&<")
                   for c in range(12)} | {"x/", "x/y", "é", "e\u0301/1"}, key=str.encode)
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="lists")
        for key in keys:
            c.put_object(Bucket="lists", Key=key, Body=key.encode())
        for prefix in ("", "x", "x/", "x/y/b/", "nothing"):
            for delimiter in ("", "/", "b/"):
                want, folded = [], []
                for key in keys:
                    if not key.startswith(prefix):
                        continue
                    at = key.find(delimiter, len(prefix)) if delimiter else -1
                    if at < 0:
                        want.append(key)
                    elif key[:at + len(delimiter)] not in folded:
                        folded.append(key[:at + len(delimiter)])
                for kind in ("list_objects", "list_objects_v2"):
                    for size in (1, 7, 1000):
                        pages = c.get_paginator(kind).paginate(
                            Bucket="lists", Prefix=prefix, Delimiter=delimiter,
                            PaginationConfig={"PageSize": size})
                        got, prefixes = [], []
                        for page in pages:
                            got += [o["Key"] for o in page.get("Contents", [])]
                            prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                        assert got == want, (kind, prefix, delimiter, size, got, want)
                        assert prefixes == folded, (kind, prefix, delimiter, size, prefixes)
        deleted = c.delete_objects(Bucket="lists", Delete={"Objects": [{"Key": k} for k in keys]})
        assert sorted(d["Key"] for d in deleted["Deleted"]) == sorted(keys)
        assert c.list_objects_v2(Bucket="lists")["KeyCount"] == 0


def s3_multipart(program, work):
    """Parts become one object; wrong parts, wrong order and small parts are refused."""
    big = random.Random(2).randbytes(5 << 20)
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="parts")
        up = c.create_multipart_upload(Bucket="parts", Key="k", Metadata={"m": "1"})["UploadId"]
        names = {"Bucket": "parts", "Key": "k", "UploadId": up}
        e1 = c.upload_part(**names, PartNumber=1, Body=b"tiny")["ETag"]
        e2 = c.upload_part(**names, PartNumber=7, Body=b"the end")["ETag"]
        two = [{"PartNumber": 1, "ETag": e1}, {"PartNumber": 7, "ETag": e2}]
        fails("EntityTooSmall", c.complete_multipart_upload, **names,
              MultipartUpload={"Parts": two})
        e1 = two[0]["ETag"] = c.upload_part(**names, PartNumber=1, Body=big)["ETag"]
        fails("InvalidPartOrder", c.complete_multipart_upload, **names,
              MultipartUpload={"Parts": two[::-1]})
        fails("InvalidPart", c.complete_multipart_upload, **names,
              MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": e1}]})
        fails("InvalidPart", c.complete_multipart_upload, **names, MultipartUpload={
            "Parts": two[:1] + [{"PartNumber": n, "ETag": e1} for n in range(2, 10001)]})
        assert [p["PartNumber"] for p in c.list_parts(**names)["Parts"]] == [1, 7]
        done = c.complete_multipart_upload(**names, MultipartUpload={"Parts": two})
        md5s = hashlib.md5(big).digest() + hashlib.md5(b"the end").digest()
        assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
        got = c.get_object(Bucket="parts", Key="k")
        assert got["Body"].read() == big + b"the end" and got["Metadata"] == {"m": "1"}
        fails("NoSuchUpload", c.list_parts, **names)
        up = c.create_multipart_upload(Bucket="parts", Key="gone")["UploadId"]
        c.upload_part(Bucket="parts", Key="gone", UploadId=up, PartNumber=1, Body=b"x")
        assert [u["UploadId"] for u in c.list_multipart_uploads(Bucket="parts")["Uploads"]] == [up]
        c.abort_multipart_upload(Bucket="parts", Key="gone", UploadId=up)
        many = sorted((f"k{i % 3}", c.create_multipart_upload(
            Bucket="parts", Key=f"k{i % 3}")["UploadId"]) for i in range(7))
        got = [(u["Key"], u["UploadId"]) for page in c.get_paginator(
            "list_multipart_uploads").paginate(Bucket="parts", PaginationConfig={"PageSize": 2})
            for u in page.get("Uploads", [])]
        assert got == many, (got, many)
        for key, up in many:
            c.abort_multipart_upload(Bucket="parts", Key=key, UploadId=up)
        c.delete_object(Bucket="parts", Key="k")
        c.delete_bucket(Bucket="parts")
    assert not [f for _, _, files in os.walk(f"{work}/state") for f in files if len(f) == 32]


def s3_documents(program, work):
    """XML of requests that is broken, too deep, a bomb, or too much."""
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>' \
           "<Delete><Object><Key>&c;</Key></Object></Delete>"
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="documents")
        c.put_object(Bucket="documents", Key="kept", Body=b"kept")
        for text in ("", "<", "<Delete>", "<Delete></Delete>", "<a>" * 100, bomb, "\0", "no XML",
                     "<Delete>" + "<Object><Key>kept</Key></Object>" * 1001 + "</Delete>",
                     "<Delete><Object><Key>" + "k" * 5000 + "</Key></Object></Delete>"):

            def replace(request, document=text, **_):
                body = document.encode()
                request.data = body
                del request.headers["Content-MD5"]
                request.headers["Content-MD5"] = \
                    base64.b64encode(hashlib.md5(body).digest()).decode()

            c.meta.events.register_first("before-sign.s3.DeleteObjects", replace)
            fails("MalformedXML", c.delete_objects, Bucket="documents",
                  Delete={"Objects": [{"Key": "kept"}]})
            c.meta.events.unregister("before-sign.s3.DeleteObjects", replace)
        assert c.get_object(Bucket="documents", Key="kept")["Body"].read() == b"kept"


def s3_accounts(program, work):
    """Each account has its own buckets; a quota holds, and frees with what is deleted."""
    with running(program, work, quota="1M") as s:
        one, two = client(s, "s3", ONE), client(s, "s3", TWO)
        one.create_bucket(Bucket="mine")
        fails("BucketAlreadyExists", two.create_bucket, Bucket="mine")
        fails("AccessDenied", two.list_objects_v2, Bucket="mine")
        fails("AccessDenied", two.put_object, Bucket="mine", Key="k", Body=b"x")
        assert two.list_buckets()["Buckets"] == []
        assert [b["Name"] for b in one.list_buckets()["Buckets"]] == ["mine"]
        one.put_object(Bucket="mine", Key="k", Body=bytes(700_000))
        fails("QuotaExceeded", one.put_object, Bucket="mine", Key="l", Body=bytes(400_000))
        one.delete_object(Bucket="mine", Key="k")
        one.put_object(Bucket="mine", Key="l", Body=bytes(400_000))


def s3_names(program, work):
    """Names that try to get out of the store, or that nobody can mean."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="names")
        for key in ("../../../../etc/passwd", "..", "a//b", "/a", "a/../b", "a/./b"):
            c.put_object(Bucket="names", Key=key, Body=key.encode())
            assert c.get_object(Bucket="names", Key=key)["Body"].read() == key.encode()
        fails("KeyTooLongError", c.put_object, Bucket="names", Key="k" * 1025, Body=b"")
        c.put_object(Bucket="names", Key="k" * 1024, Body=b"")
        fails("InvalidArgument", c.put_object, Bucket="names", Key="a\x01b", Body=b"")
        fails("NotImplemented", c.get_bucket_versioning, Bucket="names")
        fails("NotImplemented", c.get_object_acl, Bucket="names", Key="..")
        fails("NotImplemented", c.copy_object, Bucket="names", Key="x", CopySource="names/..")
        c.create_bucket(Bucket="MyReallyCoolBucketLocation")


def s3_signatures(program, work):
    """Version 2, presigned addresses of both versions, and what is wrong with a signature."""
    with running(program, work) as s:
        c = client(s, "s3", signature_version="s3")
        c.create_bucket(Bucket="signed")
        c.put_object(Bucket="signed", Key="a b", Body=b"two", Metadata={"x": "y"},
                     ContentType="text/x")
        assert c.get_object(Bucket="signed", Key="a b",
                            ResponseContentType="a/b")["Body"].read() == b"two"
        for version in ("s3", "s3v4"):
            signer = client(s, "s3", signature_version=version)
            names = {"Bucket": "signed", "Key": "a b"}
            url = signer.generate_presigned_url("get_object", Params=names, ExpiresIn=60)
            with urllib.request.urlopen(url) as got:
                assert got.read() == b"two"
            for bad in (url.replace("a%20b", "a%20c"), url + "x"):
                try:
                    urllib.request.urlopen(bad)
                    raise AssertionError(f"{bad} was served")
                except urllib.error.HTTPError as e:
                    assert e.code in (400, 403), (e.code, e.read())
        fails("SignatureDoesNotMatch", client(s, "s3", secret="another-secret-0001").list_buckets)
        fails("AuthorizationHeaderMalformed", client(s, "s3", region="eu-west-1").list_buckets)


def s3_crash(program, work):
    """Killed in the middle, the store has whole objects only, and no file that nothing knows."""
    config = write_config(work)
    s = Service(program, config)
    c = client(s, "s3")
    c.create_bucket(Bucket="crash")
    c.put_object(Bucket="crash", Key="kept", Body=b"kept")
    s.kill()
    for folder in ("tmp", "files/ab"):
        name = "ab" + "0" * 30
        with open(f"{work}/state/{folder}/{name}", "w") as f:
            f.write("torso")
    with running(program, work) as s:
        assert client(s, "s3").get_object(Bucket="crash", Key="kept")["Body"].read() == b"kept"
    left = [f for _, _, files in os.walk(f"{work}/state") for f in files if len(f) == 32]
    assert len(left) == 1, left


def s3_killed(program, work):
    """Killed again and again while it stores: what was acknowledged is there, whole."""
    config = write_config(work)
    rng = random.Random(4)
    known = {}  # key: the contents that it may have
    for round_nr in range(6):
        s = Service(program, config)
        c = client(s, "s3", max_pool_connections=8)
        c.create_bucket(Bucket="killed")
        for key, may in known.items():
            try:
                got = c.get_object(Bucket="killed", Key=key)["Body"].read()
            except c.exceptions.NoSuchKey:
                got = None
            assert got in may, (round_nr, key, got and got[:20], [m and m[:20] for m in may])
            known[key] = [got]
        sizes = sum(len(m[0]) for m in known.values() if m[0] is not None)
        with sqlite3.connect(f"file:{work}/state/state.db?mode=ro", uri=True) as db:
            rows = db.execute("SELECT count(*), sum(size) FROM object").fetchone()
            used = db.execute("SELECT sum(bytes) FROM usage").fetchone()[0] or 0
        db.close()
        files = [f for _, _, fs in os.walk(f"{work}/state/files") for f in fs]
        assert rows[0] == len(files) and (rows[1] or 0) == sizes == used, (rows, sizes, used)
        stop = threading.Event()

        def put(worker, mine=c, halt=stop, label=round_nr):
            i = 0
            while not halt.is_set():
                key = f"{worker}-{i % 5}"
                body = f"{label}-{worker}-{i}-".encode() * 4000
                known.setdefault(key, [None]).append(body)
                try:
                    mine.put_object(Bucket="killed", Key=key, Body=body)
                    known[key] = [body]
                except Exception:  # pylint: disable=broad-except
                    return
                i += 1

        threads = [threading.Thread(target=put, args=(w,)) for w in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.3 + rng.random() / 2)
        s.kill()
        stop.set()
        for t in threads:
            t.join()
    assert len(known) > 10


def s3_aws(program, work):
    """The same with the `aws` command."""
    path = f"{work}/file"
    with open(path, "wb") as f:
        f.write(random.Random(3).randbytes(9 << 20))
    with running(program, work) as s:
        aws(s, "s3api", "create-bucket", "--bucket", "cli")
        aws(s, "s3api", "put-object", "--bucket", "cli", "--key", "k/1", "--body", path)
        aws(s, "s3api", "get-object", "--bucket", "cli", "--key", "k/1", path + ".back")
        aws(s, "s3", "cp", path, "s3://cli/k/2")  # in two parts
        aws(s, "s3", "cp", "s3://cli/k/2", path + ".back2")
        with open(path, "rb") as a, open(path + ".back", "rb") as b, \
                open(path + ".back2", "rb") as d:
            data = a.read()
            assert data == b.read() == d.read()
        listed = json.loads(aws(s, "s3api", "list-objects-v2", "--bucket", "cli"))
        assert [(o["Key"], o["Size"]) for o in listed["Contents"]] == \
            [("k/1", len(data)), ("k/2", len(data))]
        aws(s, "s3", "rb", "--force", "s3://cli")


CASES = [s3_objects, s3_digests, s3_lists, s3_multipart, s3_documents, s3_accounts, s3_names, s3_signatures,
         s3_crash, s3_killed, s3_aws]
