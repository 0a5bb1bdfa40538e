"""The bucket store: what a request asks besides its operation is done or refused."""
import urllib.request

from clients import ONE, client, running
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
                ("GET", "/empty?location=&uploads="), ("GET", "/empty?prefix=&signature=x"),
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
                     "/names?fetch-owner=true&list-type=2", "/?x-id=ListBuckets"):
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


CASES = [s3_parameters, s3_response_headers]
