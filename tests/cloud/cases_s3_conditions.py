"""The bucket store: what a request asks besides its operation is done or refused."""
import contextlib
import os
import re
import sqlite3
import threading
import urllib.request
import xml.etree.ElementTree

from clients import ONE, client, fails, running, running_as
from service import write_config
from signer import Signer, send, sha256


def raw(s, method, path, body=b"", headers=None):
    """(status, headers, text) of a signed request that no client would make."""
    url = f"{s.url}{path}"
    return send(url, method, Signer(ONE).headers(method, url, sha256(body), headers), body)


def s3_parameters(program, work):
    """A parameter that an operation does not know is never passed over."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="names")
        c.create_bucket(Bucket="empty")
        c.put_object(Bucket="names", Key="k", Body=b"kept")
        up = c.create_multipart_upload(Bucket="names", Key="k")["UploadId"]
        for method, path in (
                ("DELETE", "/empty?metadataConfiguration="), ("DELETE", "/empty?metadataTable="),
                ("PUT", "/empty?abac="), ("GET", "/empty?session="), ("HEAD", "/empty?session="),
                ("PUT", "/empty?metadataInventoryTable="), ("PUT", "/new-one?acl="),
                ("POST", "/empty?metadataConfiguration="), ("GET", "/?x="), ("GET", "/empty?X-ID="),
                ("GET", "/empty?location=&uploads="),
                ("GET", "/empty?delimiter=%2F&uploads="), ("GET", "/?bucket-region=x"),
                ("GET", "/empty?prefix=&signature=x"),
                ("DELETE", "/names/k?renameObject="), ("DELETE", "/names/k?tagging="),
                ("PUT", "/names/k?renameObject="), ("PUT", "/names/k?partNumber=1"),
                ("GET", "/names/k?partNumber=1"), ("HEAD", "/names/k?partNumber=1"),
                ("GET", "/names/k?versionId=null"), ("POST", "/names/k?restore="),
                ("DELETE", f"/names/k?acl=&uploadId={up}"), ("GET", "/names/k?x-amz-copy-source=a"),
                ("PUT", "/names/k?x-amz-meta-a=b"), ("GET", "/names/k?response-etag=a")):
            status, _, text = raw(s, method, path)
            assert status == 501, (method, path, status, text)
            assert method == "HEAD" or b"<Code>NotImplemented</Code>" in text, (path, text)
        status, _, text = raw(s, "POST", "/names/k")
        assert status == 405 and b"MethodNotAllowed" in text, (status, text)
        assert [b["Name"] for b in c.list_buckets()["Buckets"]] == ["empty", "names"]
        assert c.get_object(Bucket="names", Key="k")["Body"].read() == b"kept"
        assert c.list_parts(Bucket="names", Key="k", UploadId=up)["UploadId"] == up
        for path in ("/names/k?x-id=GetObject", "/names/k?x-amz-checksum-mode=ENABLED",
                     "/names?uploads=&delimiter=&prefix=", "/?x-id=ListBuckets"):
            status, _, text = raw(s, "GET", path)
            assert status == 200, (path, status, text)


def s3_response_headers(program, work):
    """Headers of an answer that the address of a GET replaces, in each kind of signature."""
    want = {"ContentType": "text/x", "ContentLanguage": "de", "CacheControl": "no-store",
            "ContentDisposition": 'attachment; filename="a b"', "ContentEncoding": "gzip"}
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="headers")
        c.put_object(Bucket="headers", Key="k", Body=b"text", ContentType="a/b",
                     CacheControl="max-age=1")
        asked = {f"Response{name}": value for name, value in want.items()}
        for version in ("s3", "s3v4"):
            mine = client(s, "s3", signature_version=version)
            got = mine.get_object(Bucket="headers", Key="k", **asked)
            assert {name: got[name] for name in want} == want, got
            got = mine.get_object(Bucket="headers", Key="k", ResponseContentLanguage="de")
            assert got["ContentType"] == "a/b" and got["CacheControl"] == "max-age=1", got
            assert got["ContentLanguage"] == "de", got
            url = mine.generate_presigned_url("get_object", Params={
                "Bucket": "headers", "Key": "k", "ResponseContentType": "text/x"})
            with urllib.request.urlopen(url) as answer:
                assert answer.headers.get_all("Content-Type") == ["text/x"], answer.headers
                assert answer.read() == b"text"
        status, headers, _ = raw(s, "HEAD", "/headers/k?response-content-type=text%2Fx")
        assert status == 200 and headers["Content-Type"] == "text/x", headers
        status, headers, text = raw(
            s, "GET", "/headers/k?response-content-language=de%0D%0AX-Evil%3A%201")
        assert status == 400 and b"InvalidArgument" in text and "X-Evil" not in headers, text


def answer(s, method, path, body=b"", **conditions):
    """The status, or the code of the error; if_match="x" is a header."""
    headers = {name.replace("_", "-"): value for name, value in conditions.items()}
    status, _, text = raw(s, method, path, body, headers)
    code = re.search(b"<Code>(.*)</Code>", text)
    return code.group(1).decode() if code else status


def complete(s, up, part, **conditions):
    """Ends an upload of /puts/k with one part."""
    text = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" \
        f"{part}</ETag></Part></CompleteMultipartUpload>"
    return answer(s, "POST", f"/puts/k?uploadId={up}", text.encode(), **conditions)


NO_ETAG = '"' + 32 * "0" + '"'


def s3_conditional_put(program, work):
    """A put and a completion keep their conditions; what they refuse stays as it was."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="puts")

        def put(body, **conditions):
            return answer(s, "PUT", "/puts/k", body, **conditions)

        def stored():
            got = c.get_object(Bucket="puts", Key="k")
            return got["Body"].read(), got["ETag"]

        assert put(b"0", if_match="*") == "NoSuchKey"
        assert put(b"0", if_match=NO_ETAG) == "NoSuchKey"
        assert put(b"1", if_none_match="*") == 200
        assert put(b"2", if_none_match="*") == "PreconditionFailed"
        assert put(b"2", if_match=NO_ETAG) == "PreconditionFailed"
        assert stored()[0] == b"1"
        first = stored()[1]
        assert put(b"2", if_none_match=first) == "NotImplemented"
        assert put(b"2", if_unmodified_since="Sat, 01 Jan 2000 00:00:00 GMT") == "NotImplemented"
        assert put(b"2", if_match=first) == 200
        assert put(b"3", if_match=first) == "PreconditionFailed"
        assert stored()[0] == b"2"
        second = stored()[1]
        up = c.create_multipart_upload(Bucket="puts", Key="k")["UploadId"]
        part = c.upload_part(Bucket="puts", Key="k", UploadId=up, PartNumber=1,
                             Body=b"3")["ETag"].strip('"')
        assert complete(s, up, part, if_none_match="*") == "PreconditionFailed"
        assert complete(s, up, part, if_match=first) == "PreconditionFailed"
        assert stored()[0] == b"2"
        assert complete(s, up, part, if_match=second) == 200
        assert stored()[0] == b"3"
        assert put(b"4", if_match=stored()[1]) == 200
        assert answer(s, "DELETE", "/puts/k", if_none_match="*") == "NotImplemented"
        assert answer(s, "DELETE", "/puts", if_match="*") == "NotImplemented"
        assert stored()[0] == b"4"
        got = {}

        def race(worker):
            got[worker] = answer(s, "PUT", "/puts/race", bytes([worker]), if_none_match="*")

        threads = [threading.Thread(target=race, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        won = [worker for worker in got if got[worker] == 200]
        assert sorted(map(str, got.values())) == ["200"] + ["PreconditionFailed"] * 7, got
        assert c.get_object(Bucket="puts", Key="race")["Body"].read() == bytes(won), won
    assert len([f for _, _, files in os.walk(f"{work}/state/files") for f in files]) == 2


def s3_conditional_delete(program, work):
    """Deleting one and many keeps the conditions, or says that it does not."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="deletes")
        etag = c.put_object(Bucket="deletes", Key="k", Body=b"1")["ETag"]
        assert answer(s, "DELETE", "/deletes/k", if_match=NO_ETAG) == "PreconditionFailed"
        assert c.get_object(Bucket="deletes", Key="k")["Body"].read() == b"1"
        assert answer(s, "DELETE", "/deletes/k", if_match=etag) == 204
        fails("NoSuchKey", c.get_object, Bucket="deletes", Key="k")
        assert answer(s, "DELETE", "/deletes/k", if_match="*") == "PreconditionFailed"
        assert answer(s, "DELETE", "/deletes/k") == 204
        for key in "abcdef":
            c.put_object(Bucket="deletes", Key=key, Body=b"1")
        objects = "".join(f"<Object><Key>{key}</Key>{more}</Object>" for key, more in (
            ("a", f"<ETag>{NO_ETAG}</ETag>"), ("b", "<VersionId>null</VersionId>"),
            ("c", "<Size>7</Size>"),
            ("d", "<LastModifiedTime>Sat, 01 Jan 2000 00:00:00 GMT</LastModifiedTime>"),
            ("e", f"<ETag>{etag}</ETag>"), ("f", ""), ("gone", ""),
            ("none", f"<ETag>{etag}</ETag>")))
        for quiet, deleted in (("false", ["e", "f", "gone"]), ("true", [])):
            status, _, text = raw(
                s, "POST", "/deletes?delete=",
                f"<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>".encode())
            found = re.findall(b"<Error><Key>(.*?)</Key><Code>(.*?)</Code><Message>.", text)
            failed = {key.decode(): code.decode() for key, code in found}
            # The second time "e" is there no more.
            again = "PreconditionFailed" if quiet == "true" else None
            assert failed.pop("e", None) == again, text
            assert status == 200 and failed == {
                "a": "PreconditionFailed", "b": "NotImplemented", "c": "NotImplemented",
                "d": "NotImplemented", "none": "PreconditionFailed"}, text
            found = re.findall(b"<Deleted><Key>(.*?)</Key>", text)
            assert [key.decode() for key in found] == deleted, text
            assert [o["Key"] for o in c.list_objects_v2(Bucket="deletes")["Contents"]] == \
                ["a", "b", "c", "d"]
        for text in ("<Delete><Object><ETag>x</ETag></Object></Delete>",
                     "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>"):
            assert answer(s, "POST", "/deletes?delete=", text.encode()) == "MalformedXML"
        assert len(c.list_objects_v2(Bucket="deletes")["Contents"]) == 4
    assert len([f for _, _, files in os.walk(f"{work}/state/files") for f in files]) == 4


def s3_new_names(program, work):
    """Names that a new bucket cannot have; one that has such a name already goes on."""
    config = write_config(work)
    with running_as(program, config) as s:
        for name in ("healthz", "metrics", "cert-ec2.pem", "a..b", "-abc", "abc-", "_abc", "abc_",
                     "abc.", "192.168.1.1", "999.1.2.30", "xn--abc", "sthree-abc", "abc-s3alias",
                     "amzn-s3-demo-bucket", "abc--ol-s3", "abc--x-s3", "abc--table-s3", "abc.mrap",
                     "ab", "a" * 64):
            assert answer(s, "PUT", f"/{name}") == "InvalidBucketName", name
        good = ["192.168.1", "192.168.1.1.1", "1.2.3.4a", "1234.5.6.7",
                "MyReallyCoolBucketLocation", "a" * 63, "a.b-c_D", "healthz1", "123"]
        for name in good:
            assert answer(s, "PUT", f"/{name}") == 200, name
        assert [b["Name"] for b in client(s, "s3").list_buckets()["Buckets"]] == sorted(good)
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db")) as db, db:
        db.execute("INSERT INTO bucket SELECT 'a..b', account, created FROM bucket LIMIT 1")
    with running_as(program, config) as s:
        assert answer(s, "PUT", "/a..b") == 200
        assert answer(s, "PUT", "/a..b/k", b"old") == 200
        assert client(s, "s3").list_objects_v2(Bucket="123").get("KeyCount") == 0
        assert raw(s, "GET", "/a..b/k")[2] == b"old"
        assert answer(s, "DELETE", "/a..b/k") == answer(s, "DELETE", "/a..b") == 204
        assert answer(s, "PUT", "/a..b") == "InvalidBucketName"


def s3_conditional_get(program, work):
    """Each condition of a GET and a HEAD, and which of two goes first."""
    past, coming = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="gets")
        etag = c.put_object(Bucket="gets", Key="k", Body=b"text")["ETag"]
        at = c.head_object(Bucket="gets", Key="k")["ResponseMetadata"]["HTTPHeaders"][
            "last-modified"]
        for headers, want in (
                ({"If-Modified-Since": past}, 200), ({"If-Modified-Since": coming}, 304),
                ({"If-Modified-Since": at}, 304), ({"If-Unmodified-Since": at}, 200),
                ({"If-Unmodified-Since": past}, 412), ({"If-Unmodified-Since": coming}, 200),
                ({"If-Unmodified-Since": "Saturday, 01-Jan-00 00:00:00 GMT"}, 412),
                ({"If-Unmodified-Since": "Sat Jan 15 00:00:00 2000"}, 412),
                ({"If-Unmodified-Since": "yesterday"}, 200), ({"If-Modified-Since": "now"}, 200),
                ({"If-Match": NO_ETAG}, 412), ({"If-Match": f"{NO_ETAG}, {etag}"}, 200),
                ({"If-None-Match": etag}, 304), ({"If-None-Match": NO_ETAG}, 200),
                ({"If-Match": etag, "If-Unmodified-Since": past}, 200),
                ({"If-None-Match": NO_ETAG, "If-Modified-Since": coming}, 200),
                ({"If-None-Match": etag, "If-Modified-Since": past}, 304),
                ({"If-Range": etag, "Range": "bytes=1-2"}, 206),
                ({"If-Range": at, "Range": "bytes=1-2"}, 206),
                ({"If-Range": NO_ETAG, "Range": "bytes=1-2"}, 200),
                ({"If-Range": past, "Range": "bytes=1-2"}, 200)):
            for method in ("GET", "HEAD"):
                status, got, text = raw(s, method, "/gets/k", headers=headers)
                assert status == want, (method, headers, status, text)
                assert status == 412 or got["ETag"] == etag, (headers, got)
            status, _, text = raw(s, "GET", "/gets/k", headers=headers)
            assert status not in (200, 206) or text == (b"ex" if status == 206 else b"text"), text


def texts(text, *path):
    """The texts of the elements at a path of an answer."""
    return [e.text or "" for e in xml.etree.ElementTree.fromstring(text).findall(
        "/".join("{http://s3.amazonaws.com/doc/2006-03-01/}" + name for name in path))]


def s3_pages(program, work):
    """The lists of buckets and of uploads: prefixes, pages, owners."""
    names = ["a-1", "a-2", "a-3", "b-1", "b_1", "B-1"]
    with running(program, work) as s:
        c = client(s, "s3")
        for name in names:
            answer(s, "PUT", f"/{name}")
        answer(s, "PUT", "/a-0")
        answer(s, "DELETE", "/a-0")
        for prefix in ("", "a-", "b_", "none"):
            want = sorted(name for name in names if name.startswith(prefix))
            for size in (1, 2, 3, 6, 10000):
                got, token, pages = [], "", 0
                while token is not None:
                    more = f"continuation-token={token}&" if token else ""
                    status, _, text = raw(s, "GET", f"/?{more}max-buckets={size}&prefix={prefix}")
                    assert status == 200, text
                    page = texts(text, "Buckets", "Bucket", "Name")
                    assert len(page) <= size and texts(text, "Prefix") == [prefix], text
                    got, pages = got + page, pages + 1
                    token = (texts(text, "ContinuationToken") or [None])[0]
                assert got == want and pages == max(1, -(-len(want) // size)), (prefix, size, got)
        for size in ("0", "10001", "x"):
            assert answer(s, "GET", f"/?max-buckets={size}") == "InvalidArgument", size
        for key in ("x/1", "x/ü", "y"):
            c.create_multipart_upload(Bucket="a-1", Key=key)
        for query, want in (("", ["x/1", "x/ü", "y"]), ("prefix=x%2F&", ["x/1", "x/ü"]),
                            ("prefix=x%2F%C3%BC&", ["x/ü"]), ("prefix=z&", []),
                            ("key-marker=x%2F1&prefix=x&", ["x/ü"]),
                            ("encoding-type=url&", ["x/1", "x/%C3%BC", "y"])):
            status, _, text = raw(s, "GET", f"/a-1?{query}uploads=")
            assert status == 200 and texts(text, "Upload", "Key") == want, (query, text)
        assert answer(s, "GET", "/a-1?encoding-type=x&uploads=") == "InvalidArgument"
        c.put_object(Bucket="a-1", Key="k", Body=b"")
        for owner in (True, False):
            got = c.list_objects_v2(Bucket="a-1", FetchOwner=owner)["Contents"][0]
            assert ("Owner" in got) == owner, got


CASES = [s3_parameters, s3_response_headers, s3_conditional_put, s3_conditional_delete,
         s3_new_names, s3_conditional_get, s3_pages]
