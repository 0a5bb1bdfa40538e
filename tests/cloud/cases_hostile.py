"""Requests that nobody sends by mistake, clients that are slow, and disks that are full."""
import contextlib
import http.client
import os
import random
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from clients import ONE, client, fails, running
from disks import volume
from harness import Skip
from signer import Signer, send, sha256

SECOND = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"  # what a smuggler would like to be served


def connect(s):
    where = urllib.parse.urlparse(s.url)
    return socket.create_connection((where.hostname, where.port), timeout=20)


def answers(s, data):
    """The statuses of all answers until the server closes the connection; None at the end: it did
    not, and a request of ours was answered after all of them."""
    with connect(s) as sock:
        sock.sendall(data)
        got = b""
        try:
            while piece := sock.recv(65536):
                got += piece
                if got.endswith(b"ok\n"):
                    return re.findall(rb"HTTP/1\.1 (\d+) ", got) + [None]
        except ConnectionResetError:
            pass
        return re.findall(rb"^HTTP/1\.1 (\d+) ", got, re.M)


def post(headers, body=b""):
    return b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body


def hostile_framing(program, work):
    """A request whose end is not clear is refused, and nothing behind it is served."""
    chunked = b"Transfer-Encoding: chunked"
    with running(program, work) as s:
        for data in (
                post(b"Content-Length: 3\r\nContent-Length: 3", b"abc"),
                post(b"Content-Length: 3\r\nContent-Length: 38", b"abc"),
                post(b"Content-Length: 3, 3", b"abc"),
                post(b"Content-Length: 38\r\n" + chunked, b"0\r\n\r\n"),
                post(chunked + b"\r\nContent-Length: 5", b"0\r\n\r\n"),
                post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
                post(b"Transfer-Encoding: identity"),
                post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
                post(b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
                post(chunked + b"\r\nTransfer-Encoding: identity", b"0\r\n\r\n"),
                post(b"Content-Length: -1"),
                post(b"Content-Length: +3", b"abc"),
                post(b"Content-Length: 0x3", b"abc"),
                post(chunked, b"-1\r\nabc\r\n0\r\n\r\n"),
                post(b"Host: y\r\nContent-Length: 0"),
                post(b"Bad Name: y\r\nContent-Length: 0"),
                b"GET /healthz HTTP/1.1\r\n\r\n",
                b"GET /healthz\r\n\r\n"):
            got = answers(s, data + SECOND)
            assert got and set(got) == {b"400"}, (data, got)
        assert answers(s, post(chunked, b"ffffffffffffffffff\r\nabc\r\n") + SECOND) == [b"413"]
        assert answers(s, b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n" + SECOND) == [b"505"]
        # What is clear is served, one behind the other.
        assert answers(s, post(chunked, b"3;a=b\r\nabc\r\n0\r\n\r\n") + SECOND) == \
            [b"403", b"200", None]
        assert answers(s, post(b"Content-Length: 3", b"abc") + SECOND) == [b"403", b"200", None]
        assert answers(s, b"GET /healthz HTTP/1.0\r\n\r\n") == [b"200", None]
        with connect(s) as sock:
            sock.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND)
            got = b""
            while not got.endswith(b"ok\n"):
                got += sock.recv(65536)
            assert got.count(b"HTTP/1.1 200") == 2 and got.count(b"ok\n") == 1, got


def hostile_paths(program, work):
    """Names of buckets and keys that try to be something else."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="names")

        def put(path, want, body=b"x"):
            url = s.url + path
            headers = Signer(ONE).headers("PUT", url, sha256(body))
            status, _, text = send(url, "PUT", headers, body)
            assert status == want, (path, status, text)

        for path in ("/../etc", "/..%2fetc/x", "/%2e%2e/x", "/.hidden/x", "/a/x", "/" + "b" * 64,
                     "/" + "b" * 64 + "/x", "/a..b/../x"):
            assert send(s.url + path, "PUT", Signer(ONE).headers(
                "PUT", s.url + path, sha256(b"x")), b"x")[0] in (400, 403, 404), path
        for path in ("/names/a%00b", "/names/%zz", "/names/%", "/na%00mes/k"):
            put(path, 400)
        for key in ("%FF", "%C0%AF", "%ED%A0%80", "a%0Ab", "a%7Fb"):
            put(f"/names/{key}", 400)
        for path, key in (("/names//k", "/k"), ("/names/..", ".."), ("/names/a//b/", "a//b/"),
                          ("/names/%E2%82%AC", "€"), ("/names/.%2e%2f..", "../..")):
            body = key.encode()
            url = s.url + path
            # What is signed is the path as S3 reads it: each byte but "/" encoded once.
            signed = s.url + "/names/" + urllib.parse.quote(key, safe="/~")
            headers = Signer(ONE).headers("PUT", signed, sha256(body))
            assert send(url, "PUT", headers, body)[0] == 200, path
            assert c.get_object(Bucket="names", Key=key)["Body"].read() == body, path
        stored = [os.path.join(d, f) for d, _, fs in os.walk(f"{work}/state/files") for f in fs]
        assert len(stored) == 5 and all(re.fullmatch(r"[0-9a-f]{32}", os.path.basename(f))
                                        for f in stored), stored


def hostile_sizes(program, work):
    """Objects, forms and connections have limits, and the answer comes before the body."""
    with running(program, work, extra="object-size = 1M\nform-size = 4K\n"
                 "connections-per-address = 4\nconnections = 8", quota="3M") as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="sizes")
        fails("EntityTooLarge", c.put_object, Bucket="sizes", Key="k", Body=bytes((1 << 20) + 1))
        c.put_object(Bucket="sizes", Key="k", Body=bytes(1 << 20))
        url = f"{s.url}/sizes/k2"
        headers = Signer(ONE).headers("PUT", url, "UNSIGNED-PAYLOAD")
        with connect(s) as sock:  # the client waits for 100 Continue, and does not get one
            sock.sendall(b"PUT /sizes/k2 HTTP/1.1\r\n" + "".join(
                f"{k}: {v}\r\n" for k, v in headers.items()).encode() +
                b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
            got = sock.recv(65536)
            assert got.startswith(b"HTTP/1.1 400") and b"EntityTooLarge" in got, got
        for announced in (b"Expect: 100-continue\r\nContent-Length: 4097",  # it asks first
                          b"Content-Length: 20000000"):  # or announces what nobody would read
            with connect(s) as sock:
                sock.sendall(post(announced))
                got = b""
                while piece := sock.recv(65536):
                    got += piece
                assert got.startswith(b"HTTP/1.1 413"), got
                assert b"<Code>RequestEntityTooLarge</Code>" in got, got
        with connect(s) as sock:
            sock.sendall(post(b"Expect: 100-continue\r\nContent-Length: 4096"))
            assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
            sock.sendall(b"x" * 4096)
            assert sock.recv(65536).startswith(b"HTTP/1.1 4")
        with connect(s) as sock:
            sock.sendall(b"PUT /sizes/k2 HTTP/1.1\r\n" + "".join(
                f"{k}: {v}\r\n" for k, v in headers.items()).encode() +
                b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
            sock.sendall(b"ab")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        status, _, text = send(url, "PUT", Signer(ONE).headers("PUT", url, "UNSIGNED-PAYLOAD"),
                               b"x", chunked=True)
        assert status == 411 and b"MissingContentLength" in text, (status, text)
        up = c.create_multipart_upload(Bucket="sizes", Key="p")["UploadId"]
        c.upload_part(Bucket="sizes", Key="p", UploadId=up, PartNumber=1, Body=bytes(1 << 20))
        fails("QuotaExceeded", c.upload_part, Bucket="sizes", Key="p", UploadId=up, PartNumber=2,
              Body=bytes(1 << 20))
        for number in (0, 10001, "x"):
            status, _, text = send(*signed(s, "PUT",
                                           f"/sizes/p?partNumber={number}&uploadId={up}"))
            assert status == 400 and b"InvalidArgument" in text, (number, status, text)
        held = [connect(s) for _ in range(12)]
        answered = 0
        for sock in held:
            with contextlib.suppress(ConnectionError):
                sock.sendall(SECOND)
                answered += sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert 1 <= answered <= 4, answered
        for sock in held:
            sock.close()
        with patience(20) as go_on:
            while go_on():
                with contextlib.suppress(OSError):
                    if urllib.request.urlopen(s.url + "/healthz").read() == b"ok\n":
                        break


def signed(s, method, path, body=b"x"):
    url = s.url + path
    return url, method, Signer(ONE).headers(method, url, sha256(body)), body


@contextlib.contextmanager
def patience(seconds):
    """Something that must happen; not how fast."""
    end = time.monotonic() + seconds

    def go_on():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
        return True

    yield go_on


def in_flight(s):
    text = urllib.request.urlopen(s.url + "/metrics").read().decode()
    return int(re.search(r"^pvbootd_requests_in_flight (\d+)$", text, re.M)[1])


def hostile_many_parameters(program, work):
    """A request line, or headers, of more pieces than the library has room for: it is answered,
    nothing is kept, and the log has its line."""
    line = b" HTTP/1.1\r\nHost: x\r\n"
    query = b"GET /many?" + b"a=b&" * 8000 + line + b"\r\n"
    requests = ((query, b"403"), (b"GET /many?" + b"a&" * 2500 + line + b"\r\n", b"403"),
                (b"GET /many?" + b"a=b&" * 700 + line + b"a:b\r\n" * 100 + b"\r\n", b"403"),
                (SECOND + SECOND + query, b"403"),
                # The library's answer, which goes out before all has come: it may be lost.
                (b"GET /many" + line + b"a:b\r\n" * 3000 + b"\r\n", None),
                (b"GET /many" + line + b"Cookie: " + b"a=b;" * 1500 + b"\r\n\r\n", None))
    with running(program, work) as s:
        with connect(s) as idle:  # with a request that is not whole, and not worked on
            idle.sendall(b"GET /many HTTP/1.1\r\nHost: x\r\n")
            for data, status in requests:
                got = b""
                with connect(s) as sock, contextlib.suppress(ConnectionError):
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    while piece := sock.recv(65536):
                        got += piece
                assert not status or re.findall(rb"HTTP/1.1 (\d+) ", got)[-1:] == [status], \
                    (data[:20], got)
            assert answers(s, query + SECOND) == [b"403", b"200", None]
            with patience(20) as go_on:
                while go_on() and in_flight(s) != 1:
                    pass
        lines = []
        with patience(20) as go_on:
            while go_on() and len(lines) < len(requests) + 2:
                lines = [text for text in s.log if " path=/many " in text]
    assert all(" remote=127.0.0.1 " in text for text in lines), lines


def hostile_slow(program, work):
    """A byte now and then keeps no connection; a slow but steady one is served."""
    with running(program, work, extra="idle-timeout = 2") as s:
        client(s, "s3").create_bucket(Bucket="slow")
        url = f"{s.url}/slow/k"
        headers = "".join(f"{k}: {v}\r\n" for k, v in Signer(ONE).headers(
            "PUT", url, "UNSIGNED-PAYLOAD").items()).encode()
        for data in (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1000,
                     b"PUT /slow/k HTTP/1.1\r\n" + headers + b"Content-Length: 1000\r\n\r\n" +
                     b"z" * 999):
            with connect(s) as sock, patience(60) as go_on, contextlib.suppress(ConnectionError):
                head = data[:-400] if data.endswith(b"z") else data[:40]
                sock.sendall(head)
                sock.settimeout(0.01)
                at = len(head)
                while go_on():
                    sock.sendall(data[at:at + 1])
                    at = min(at + 1, len(data) - 2)
                    with contextlib.suppress(TimeoutError):
                        if not sock.recv(65536):
                            break
        body = random.Random(3).randbytes(20_000)
        with connect(s) as sock:
            sock.sendall(b"PUT /slow/k HTTP/1.1\r\n" + headers + b"Content-Length: 20000\r\n\r\n")
            for i in range(0, len(body), 1000):
                sock.sendall(body[i:i + 1000])
                time.sleep(0.2)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert client(s, "s3").get_object(Bucket="slow", Key="k")["Body"].read() == body


def hostile_keep_alive(program, work):
    """Many requests on one connection, errors between them; each has its own id."""
    with running(program, work) as s:
        client(s, "s3").create_bucket(Bucket="alive")
        where = urllib.parse.urlparse(s.url)
        c = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
        ids = set()
        for i in range(60):
            url, method, headers, body = signed(s, "PUT", f"/alive/k{i}", b"%d" % i)
            if i % 3 == 1:
                headers["authorization"] = headers["authorization"][:-1] + "x"
            if i % 3 == 2:
                url, method, headers, body = signed(s, "GET", f"/alive/k{i - 2}", b"")
            c.request(method, url[len(s.url):], body or None, headers)
            first = c.sock
            got = c.getresponse()
            text = got.read()
            assert got.status == (200, 403, 200)[i % 3], (i, text)
            assert i % 3 != 2 or text == b"%d" % (i - 2)
            ids.add(got.headers["x-amz-request-id"])
        assert len(ids) == 60 and c.sock is first
        c.close()


def hostile_full_disk(program, work):
    """On a full disk each request fails by itself, and leaves nothing behind."""
    os.makedirs(f"{work}/state")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", f"{work}/state"],
                      check=False, capture_output=True).returncode:
        raise Skip("no tmpfs can be mounted here")
    try:
        fill_disk(program, work)
    finally:
        subprocess.run(["umount", f"{work}/state"], check=True)


def stored_files(work):
    return [f for _, _, files in os.walk(f"{work}/state") for f in files
            if re.fullmatch(r"[0-9a-f]{32}", f)]


def fill_disk(program, work):
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="full")
        c.put_object(Bucket="full", Key="kept", Body=b"kept")
        vol = volume(client(s, "ec2"), Size=1)
        fails("ServiceUnavailable", c.put_object, Bucket="full", Key="large", Body=bytes(8 << 20))
        fails("NoSuchKey", c.get_object, Bucket="full", Key="large")
        assert len(stored_files(work)) == 2  # and the volume
        room = os.statvfs(f"{work}/state")
        with open(f"{work}/state/ballast", "wb") as f:
            f.write(bytes((room.f_bavail - 20) * room.f_frsize))
        failed = 0
        for i in range(400):
            try:
                c.put_object(Bucket="full", Key=f"k{i}", Body=b"")
            except c.exceptions.ClientError as e:
                failed += 1
                assert e.response["Error"]["Code"] == "ServiceUnavailable", e
                assert "full" in str(e), e
                if failed == 3:
                    break
        assert failed == 3
        # The other API says the same, and answers what it can.
        ec2 = client(s, "ec2")
        # They need more pages than the journal of the state got for the objects that failed.
        tags = {"Resources": [vol], "Tags": [{"Key": f"large{i}", "Value": "x" * 250}
                                             for i in range(50)]}
        assert "disk" in fails("InsufficientCapacity", ec2.create_tags, **tags)
        assert ec2.describe_volumes()["Volumes"][0].get("Tags", []) == []
        assert c.get_object(Bucket="full", Key="kept")["Body"].read() == b"kept"
        os.remove(f"{work}/state/ballast")
        c.put_object(Bucket="full", Key="kept", Body=b"again")
        ec2.create_tags(**tags)
        keys = [o["Key"] for page in c.get_paginator("list_objects_v2").paginate(Bucket="full")
                for o in page["Contents"]]
        assert len(stored_files(work)) == len(keys) + 1, (len(keys), len(stored_files(work)))
        with urllib.request.urlopen(s.url + "/healthz") as got:
            assert got.read() == b"ok\n"
    assert any("No space left" in line for line in s.errors), s.errors


def hostile_crowd(program, work):
    """64 clients at once, most of whom go away in the middle; the others are served."""
    with running(program, work) as s:
        client(s, "s3").create_bucket(Bucket="crowd")
        failures = []

        def one(number):
            rng = random.Random(number)
            try:
                for i in range(4):
                    body = rng.randbytes(50_000)
                    url, method, headers, body = signed(s, "PUT", f"/crowd/k{number}-{i}", body)
                    if number % 2:
                        with connect(s) as sock:
                            sock.sendall(f"PUT /crowd/k{number}-{i} HTTP/1.1\r\n".encode() +
                                         "".join(f"{k}: {v}\r\n" for k, v in headers.items())
                                         .encode() + b"Content-Length: 50000\r\n\r\n" +
                                         body[:rng.randrange(50_000)])
                    else:
                        assert send(url, method, headers, body)[0] == 200
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[:3]
        with patience(45) as go_on:  # long before the minute after which idle ones are closed
            while go_on() and len(stored_files(work)) != 128:
                pass
        assert client(s, "s3").list_objects_v2(Bucket="crowd")["KeyCount"] == 128


CASES = [hostile_framing, hostile_paths, hostile_sizes, hostile_slow, hostile_many_parameters,
         hostile_keep_alive, hostile_full_disk, hostile_crowd]
