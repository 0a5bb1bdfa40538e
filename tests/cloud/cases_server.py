"""The server itself: configuration, its own pages, log, limits."""
import contextlib
import datetime
import fcntl
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request

from clients import ONE, TWO, client, fails, running
from disks import settle, volume
from harness import Skip
from service import ACCOUNTS, REGION, ROOT, write, write_config
from signer import Signer, send, sha256


def check_config(program, path, env=None):
    done = subprocess.run([program, "--check-config", "--config", path], capture_output=True,
                          text=True, check=False, env=env)
    return done.returncode, done.stdout + done.stderr


def server_config(program, work):
    """A good configuration is good; each mistake is one sentence with its line."""
    path = write_config(work)
    status, said = check_config(program, path)
    assert status == 0 and "good: 2 accounts, region us-east-1, 4 kernel images" in said, said
    with open(path) as f:
        lines = f.read().splitlines()
    for line, why in (
            ("colour = red", "there is no setting \"colour\""),
            ("listen = 8773", "listen is ADDRESS:PORT"),
            ("threads = 0", "threads is a whole number from 1 to 256"),
            ("object-size = 1X", "object-size is a whole number"),
            ("log = xml", "log is "),
            ("region", "a line is \"name = value\""),
            ("region =", "region has no value"),
            ("endpoint = http://foo", "endpoint is HOST or HOST:PORT, not \"http://foo\""),
            ("endpoint = a b", "endpoint is HOST or HOST:PORT"),
            ("endpoint = a:0", "endpoint is HOST or HOST:PORT"),
            ("endpoint = [::1", "endpoint is HOST or HOST:PORT"),
            ("[accounts]", "a section is [account 123456789012]"),
            ("s3-secret-file = /none", "/none: No such file"),
            ("x" * 5000, "the line is longer than")):
        name = line.split(" ")[0] + " ="
        write(path, "\n".join(["# first", line] + [one for one in lines
                                                   if not one.startswith(name)]) + "\n")
        status, said = check_config(program, path)
        assert status == 1 and f"{path}:2: {why}" in said, (line, said)
    write(path, "\n".join([lines[0], "threads = x", "a = b"] + lines[1:] + ["images = x"]) + "\n")
    status, said = check_config(program, path)
    assert status == 1 and [line.split(":")[2] for line in said.splitlines()] == \
        ["2", "3", str(len(lines) + 3)], said
    for line, why in (
            ("s3-region = x", "need s3-url"),
            ("s3-url = ftp://x", "s3-url is http://HOST"),
            ("s3-url = https://x/y", "s3-url is http://HOST"),
            ("s3-url = https://x", f"account {next(iter(ACCOUNTS))} needs an s3-access-key"),
            ("s3-url = https://x\ns3-access-key = k", "are given both or not at all"),
            ("tls-key = /x", "are given both or not at all"),
            ("engine = steam", "not \"steam\""),
            ("bridge = br0", "no network"),
            ("xen32 = /none", "xen32: /none: No such file"),
            ("listen = none:0", "\"none\" is no address"),
            ("tls-certificate = /none\ntls-key = /none", "/none: No such file"),
            ("ec2-certificate = /none\nec2-key = /none", "/none cannot be opened"),
            ("types = /none", "types: /none: No such file"),
            ("region = Mars", "a region is of small letters")):
        name = line.split(" ")[0] + " ="
        write(path, "\n".join([line] + [one for one in lines if not one.startswith(name)]) + "\n")
        status, said = check_config(program, path)
        assert status == 1 and why in said and said.count("\n") == 1, (line, said)
    write(path, "\n".join(lines) + "\n")
    with open(path) as f:
        text = f.read()
    write(path, f"pvboot-images = {work}\n{text}")
    status, said = check_config(program, path)  # good for buckets, which is said
    assert status == 0 and f"{work}/pvboot-hd0-x86_64: No such file" in said, said
    os.makedirs(f"{work}/usr/share/pvboot")  # what is installed lies beside the program's folder
    os.makedirs(f"{work}/usr/sbin")
    shutil.copy(program, f"{work}/usr/sbin/pvbootd")
    write(path, re.sub(r"^(akis|types) = .*\n", "", text, flags=re.M))
    status, said = check_config(f"{work}/usr/sbin/pvbootd", path)
    assert status == 1 and f"akis: {work}/usr/share/pvboot/akis.tsv cannot be read" in said, said
    for name in ("akis.tsv", "types.tsv"):
        shutil.copy(f"{ROOT}/share/pvboot/{name}", f"{work}/usr/share/pvboot/{name}")
    status, said = check_config(f"{work}/usr/sbin/pvbootd", path)
    assert status == 0 and f"{work}/usr/lib/pvboot/pvboot-hd0-x86_64: No such file" in said, said
    write(path, text)
    status, said = check_config(program, path, {"PATH": work})  # a machine with nothing on it
    assert status == 1 and "install the package qemu-system-x86" in said, said
    account = next(iter(ACCOUNTS))
    os.chmod(f"{work}/secret-{account}", 0o644)
    status, said = check_config(program, path)
    assert status == 1 and "can be read by everybody" in said, said
    os.chmod(f"{work}/secret-{account}", 0o600)
    write(f"{work}/akis.tsv", "aki-1\tx\n")
    status, said = check_config(program, path)
    assert status == 1 and "akis.tsv, line 1:" in said, said
    os.remove(f"{work}/akis.tsv")
    status, said = check_config(program, path)
    assert status == 1 and "akis.tsv cannot be read: No such file" in said, said


def server_arguments(program, work):
    """Wrong words are one sentence and status 2; what cannot be written is told."""
    for words in (["--none"], ["word"], ["--config"], ["--s3-url"], ["--run-guest"]):
        done = subprocess.run([program] + words, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and not done.stdout, (words, done)
        assert done.stderr.startswith(f"pvbootd: {words[0]} ") and done.stderr.count("\n") == 1, \
            done.stderr
    path = write_config(work)
    for words in (["--help"], ["--version"], ["--check-config", "--config", path]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([program] + words, stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        assert done.returncode == 1, (words, done)
        assert "pvbootd: writing to standard output failed: No space left" in done.stderr, done


def server_pages(program, work):
    """/healthz and /metrics need no signature; the counters count."""
    with running(program, work) as s:
        with urllib.request.urlopen(s.url + "/healthz") as got:
            assert got.read() == b"ok\n"
        client(s, "ec2").describe_regions()
        c = client(s, "s3")
        c.create_bucket(Bucket="pages")
        c.put_object(Bucket="pages", Key="k", Body=b"12345")
        fails("NoSuchKey", c.get_object, Bucket="pages", Key="none")
        body = b"Action=MadeUp&Version=2016-11-15"
        assert send(s.url + "/", "POST", Signer(ONE, "ec2").headers(
            "POST", s.url + "/", sha256(body)), body)[0] == 400
        with urllib.request.urlopen(s.url + "/metrics") as got:
            text = got.read().decode()
        for line in ('requests_total{api="ec2",action="DescribeRegions",status="2xx"} 1',
                     'requests_total{api="s3",action="PutObject",status="2xx"} 1',
                     'requests_total{api="s3",action="GetObject",status="4xx"} 1',
                     'requests_total{api="ec2",action="",status="4xx"} 1',
                     f'stored_bytes{{account="{ONE}"}} 5', "buckets 1", "auth_failures_total 0"):
            assert f"pvbootd_{line}\n" in text, (line, text)
        assert re.search(rf'pvbootd_record_bytes{{account="{ONE}"}} 1[01]\d\d\n', text), text
        assert "MadeUp" not in text
        for line in text.splitlines():
            assert line.startswith("# ") or \
                re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+]+', line), line


def now_ms():
    """As the log writes it."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return now.isoformat(timespec="milliseconds") + "Z"


def server_log(program, work):
    """One line a request, with its id; no query, and no secret in it."""
    for kind in ("text", "json"):
        folder = f"{work}/{kind}"
        os.mkdir(folder)
        with running(program, folder, extra=f"log = {kind}") as s:
            c = client(s, "s3")
            c.create_bucket(Bucket="logs")
            url = client(s, "s3", signature_version="s3v4").generate_presigned_url(
                "list_objects_v2", Params={"Bucket": "logs"})
            before = now_ms()
            with urllib.request.urlopen(url) as got:
                answer = got.headers["x-amz-request-id"]
            for _ in range(20):
                urllib.request.urlopen(s.url + "/healthz").close()
        after = now_ms()
        assert len(s.log) == 22, s.log
        assert answer in s.log[1] and "ListObjects" in s.log[1], s.log
        times = [re.match(r'(?:\{"time":")?(\S{23}Z)[" ]', line)[1] for line in s.log]
        assert all(before <= time <= after for time in times[1:]), (before, times, after)
        assert len({time[-4:-1] for time in times}) > 1, times  # 22 in one millisecond: no machine
        whole = "".join(s.log + s.errors)
        for _, secret in ACCOUNTS.values():
            assert secret not in whole
        assert "Signature" not in whole and urllib.parse.urlparse(url).query not in whole
        if kind == "json":
            line = json.loads(s.log[1])
            assert line["status"] == 200 and line["account"] == next(iter(ACCOUNTS)), line


def raw(s, data):
    """What the server answers to these bytes."""
    where = urllib.parse.urlparse(s.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as sock:
        sock.sendall(data)
        answer = b""
        try:
            while piece := sock.recv(65536):
                answer += piece
                if b"\r\n\r\n" in answer:
                    break
        except ConnectionResetError:
            pass
        return answer


def server_hostile(program, work):
    """Requests that nobody sends by mistake: an error each, and the server lives on."""
    with running(program, work, extra="idle-timeout = 2") as s:
        for data, status in (
                (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                (b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                (b"GET /?a=%2 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                (b"GET / HTTP/1.1\r\nHost: x\r\n" +
                 b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n", b"400"),
                (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b"431"),
                (b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
                (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"403"),
                (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"4"),
                (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"")):
            answer = raw(s, data)
            assert not status or answer.split(b" ")[1:2] and \
                answer.split(b" ")[1].startswith(status), (data[:60], answer[:200])
        with urllib.request.urlopen(s.url + "/healthz") as got:
            assert got.read() == b"ok\n"


def server_stops(program, work):
    """A request that runs when the service is told to stop is answered; a second one is not."""
    with running(program, work) as s:
        client(s, "s3").create_bucket(Bucket="stop")
        where = urllib.parse.urlparse(s.url)
        url = client(s, "s3").generate_presigned_url("put_object", ExpiresIn=60,
                                                     Params={"Bucket": "stop", "Key": "k"})
        slow = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
        slow.putrequest("PUT", url[len(s.url):])
        slow.putheader("Content-Length", "4")
        slow.endheaders()
        slow.send(b"ab")
        while "pvbootd_requests_in_flight 2\n" not in \
                urllib.request.urlopen(s.url + "/metrics").read().decode():
            pass
        s.process.terminate()
        while True:
            try:
                socket.create_connection((where.hostname, where.port), timeout=20).close()
            except ConnectionRefusedError:
                break
            except ConnectionResetError:  # it was in the queue when that was closed
                pass
        slow.send(b"cd")
        assert slow.getresponse().status == 200


def server_tls(program, work):
    """HTTPS with a certificate of one's own."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", f"{work}/key.pem", "-out", f"{work}/cert.pem"],
                   check=True, capture_output=True)
    with running(program, work, extra=f"tls-certificate = {work}/cert.pem\n"
                                      f"tls-key = {work}/key.pem") as s:
        assert s.url.startswith("https://"), s.url
        context = ssl.create_default_context(cafile=f"{work}/cert.pem")
        with urllib.request.urlopen(s.url + "/healthz", context=context) as got:
            assert got.read() == b"ok\n"
    with open(f"{work}/key.pem", "w") as f:
        f.write("no key")
    done = subprocess.run([program, "--config", f"{work}/pvbootd.conf"], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1 and "key.pem is no private key" in done.stderr, done.stderr


def server_one_state(program, work):
    """Two services on one state: the second one says what is the matter."""
    with running(program, work):
        done = subprocess.run([program, "--config", f"{work}/pvbootd.conf"], capture_output=True,
                              text=True, timeout=20, check=False)
        assert done.returncode == 1 and "another pvbootd uses this state" in done.stderr
    with sqlite3.connect(f"{work}/state/state.db") as db:
        db.execute("PRAGMA user_version=999")
    db.close()
    done = subprocess.run([program, "--config", f"{work}/pvbootd.conf"], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 1 and "version 999" in done.stderr, done.stderr


def stored(work, sql):
    with contextlib.closing(sqlite3.connect(f"file:{work}/state/state.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def server_locks_first(program, work):
    """On a fresh state that another service has locked, no key is made."""
    path = write_config(work)
    os.mkdir(f"{work}/state")
    with open(f"{work}/state/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([program, "--config", path], capture_output=True, text=True,
                              timeout=60, check=False)
    assert done.returncode == 1 and "another pvbootd uses this state" in done.stderr, done.stderr
    made = [name for name in os.listdir(f"{work}/state") if ".pem" in name]
    assert not made, made


def server_older_state(program, work):
    """A state from before there were instances gets their tables, and keeps and counts what it has."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="old")
        c.put_object(Bucket="old", Key="k", Body=b"12345", Metadata={"a": "b"})
        part = {"Bucket": "old", "Key": "\u20ac",
                "UploadId": c.create_multipart_upload(Bucket="old", Key="\u20ac")["UploadId"]}
        c.upload_part(Body=b"1234567", PartNumber=1, **part)
        client(s, "s3", TWO).create_bucket(Bucket="two")
        client(s, "s3", TWO).create_multipart_upload(Bucket="two", Key="k")
    usage = stored(work, "SELECT * FROM usage ORDER BY account")
    assert usage[0][1] == 12 and 3 * 1024 < usage[0][2] < 4 * 1024, usage
    assert usage[1][1] == 0 and 1024 < usage[1][2] < 2048, usage
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db", isolation_level=None)) as db:
        db.execute("DROP VIEW blob_needed")
        for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            if table not in ("bucket", "object", "upload", "part", "usage"):
                db.execute(f"DROP TABLE {table}")
        for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("ALTER TABLE usage DROP COLUMN record_bytes")
        db.execute("DELETE FROM usage WHERE bytes = 0")
        for table in ("object", "part"):
            db.execute(f"CREATE TRIGGER {table}_in AFTER INSERT ON {table} BEGIN"
                       " INSERT INTO usage VALUES(new.account, new.size)"
                       " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes; END")
            db.execute(f"CREATE TRIGGER {table}_out AFTER DELETE ON {table} BEGIN"
                       " UPDATE usage SET bytes = bytes - old.size WHERE account = old.account; END")
        db.execute("PRAGMA user_version=1")
    with running(program, work) as s:
        assert stored(work, "SELECT * FROM usage ORDER BY account") == usage
        client(s, "s3").abort_multipart_upload(**part)
        client(s, "s3").delete_object(Bucket="old", Key="k")
        assert stored(work, "SELECT * FROM usage ORDER BY account") == [(ONE, 0, 0), usage[1]]
        assert client(s, "s3").list_buckets()["Buckets"][0]["Name"] == "old"
        assert client(s, "ec2").describe_instances()["Reservations"] == []
        settle(client(s, "ec2"), volume(client(s, "ec2"), Size=1))


def server_modes(program, work):
    """Whatever umask it is started with, and whatever mode its folder has, the state is its own."""
    state = f"{work}/state"
    os.mkdir(state)
    os.chmod(state, 0o755)
    before = os.umask(0o022)
    try:
        for bucket in ("first", "again"):  # the second time with a database that is there already
            with running(program, work) as s:
                client(s, "s3").create_bucket(Bucket=bucket)
                client(s, "s3").put_object(Bucket=bucket, Key="k", Body=b"x")
                settle(client(s, "ec2"), volume(client(s, "ec2"), Size=1))
                files = [os.path.join(d, name) for d, folders, names in os.walk(state)
                         for name in folders + names]
                assert {f"{state}/state.db{end}" for end in ("", "-wal", "-shm")} <= set(files)
                for path in files:
                    assert os.stat(path).st_mode & 0o077 == 0, path
            os.chmod(f"{state}/state.db", 0o644)
    finally:
        os.umask(before)


def server_lost_database(program, work):
    """Disks and objects whose state.db is missing or empty: no start, and nothing is removed; with
    the copy, or with nothing to lose, there is one."""
    state, config = f"{work}/state", f"{work}/pvbootd.conf"

    def kept():
        return sorted(os.path.join(d, f) for d, _, fs in os.walk(state) for f in fs)

    def refused(what):
        before = kept()
        for words in ([], ["--check-config"]):
            done = subprocess.run([program, "--config", config] + words, capture_output=True,
                                  text=True, timeout=60, check=False)
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done
            for part in (f"{state}/state.db is missing or empty", f"{state}/{what}",
                         "put the copy of state.db back", "another folder"):
                assert part in done.stderr, (part, done.stderr)
        assert kept() == before, (before, kept())

    with running(program, work) as s:
        client(s, "s3").create_bucket(Bucket="kept")
    os.rename(f"{state}/state.db", f"{work}/copy")
    with running(program, work) as s:  # there was nothing beside it
        client(s, "s3").create_bucket(Bucket="kept")
        client(s, "s3").put_object(Bucket="kept", Key="k", Body=b"12345")
    os.rename(f"{state}/state.db", f"{work}/copy")
    refused("files/")
    write(f"{state}/state.db", "")
    refused("files/")
    os.rename(f"{work}/copy", f"{state}/state.db")
    with running(program, work) as s:
        got = client(s, "s3").get_object(Bucket="kept", Key="k")
        assert got["Body"].read() == b"12345"
        client(s, "s3").delete_object(Bucket="kept", Key="k")
        settle(client(s, "ec2"), volume(client(s, "ec2"), Size=1))
    os.rename(f"{state}/state.db", f"{work}/copy")
    refused("blobs/")
    for name in os.listdir(f"{state}/blobs"):
        os.remove(f"{state}/blobs/{name}")
    os.makedirs(f"{state}/engine/i-0123456789abcdef0")
    refused("engine/i-0123456789abcdef0")
    os.rmdir(f"{state}/engine/i-0123456789abcdef0")
    with running(program, work) as s:
        assert client(s, "s3").list_buckets()["Buckets"] == []


def tables_of(version):
    """The SQL of the first steps of the state's tables, as the program has it."""
    with open(f"{ROOT}/cloud/service/db_migrate.c", encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read().split("steps[] = {")[1], flags=re.DOTALL)
    steps = [""]
    for words, comma in re.findall(r'"([^"\\]*)"|(,)', text):
        steps[-1] += words
        steps += [""] if comma else []
    return "".join(steps[:version]) + f"PRAGMA user_version={version};"


def server_older_tags(program, work):
    """Tags from when a resource had them of one account alone are kept."""
    vol = "vol-12345678"
    with running(program, work):
        pass
    for name in os.listdir(f"{work}/state"):
        if name.startswith("state.db"):
            os.unlink(f"{work}/state/{name}")
    with contextlib.closing(sqlite3.connect(f"{work}/state/state.db", isolation_level=None)) as db:
        db.executescript(tables_of(2))
        db.execute("INSERT INTO volume(id, account, hidden, state, size_gib, virtual_bytes, created)"
                   " VALUES(?, ?, 0, 'error', 1, 1 << 30, 0)", (vol, ONE))
        db.execute("INSERT INTO tag VALUES(?, 'Name', 'old', ?)", (vol, ONE))
    with running(program, work) as s:
        c = client(s, "ec2")
        c.create_tags(Resources=[vol], Tags=[{"Key": "new", "Value": ""}])
        assert c.describe_volumes(VolumeIds=[vol])["Volumes"][0]["Tags"] == [
            {"Key": "Name", "Value": "old"}, {"Key": "new", "Value": ""}]


def server_clients(program, work):
    """64 clients at once: each gets its own answer."""
    with running(program, work) as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="many")
        failures = []

        def one(number):
            try:
                mine = client(s, "s3", max_pool_connections=1)
                for i in range(3):
                    body = f"{number}-{i}".encode() * 1000
                    mine.put_object(Bucket="many", Key=f"k{number}", Body=body)
                    assert mine.get_object(Bucket="many", Key=f"k{number}")["Body"].read() == body
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures, failures[:3]
        assert c.list_objects_v2(Bucket="many")["KeyCount"] == 64



def server_documents(program, work):
    """Each setting of the program stands in the configuration that comes with it, with its default,
    and in the manual; and the unit is one that systemd takes."""
    del program
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

    def read(path):
        with open(f"{top}/{path}") as f:
            return f.read()

    source = read("cloud/service/config.c")
    names = set(re.findall(r'^    \{"([a-z0-9-]+)", [A-Z]', source, re.M)) | \
        set(re.findall(r'strcmp\(name, "([a-z0-9-]+)"\) == 0', source))
    assert len(names) > 25, names
    told = set(re.findall(r"^#?([a-z0-9-]+) = ", read("share/pvboot/pvbootd.conf"), re.M))
    manual = set(re.sub(r" ,", "", " ".join(re.findall(
        r"^\.It Ic (.*)", read("man/pvbootd.conf.5"), re.M))).split())
    assert names == told, names ^ told
    assert names == manual, names ^ manual
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    unit = read("share/systemd/pvbootd.service").replace("/usr/sbin/pvbootd", "/bin/true")
    unit = re.sub(r"^Documentation=.*\n", "", unit, flags=re.M)
    write(f"{work}/pvbootd.service", unit)
    said = subprocess.run(["systemd-analyze", "verify", f"{work}/pvbootd.service"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0 and "pvbootd.service" not in said.stderr, said.stderr
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25",
                           f"{work}/pvbootd.service"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert said.returncode == 0, said.stdout[-500:]


def server_argv(program, work):
    """No secret stands where `ps` shows it, or in what the service says or answers."""
    with running(program, work, extra="log = json") as s:
        c = client(s, "s3")
        c.create_bucket(Bucket="secrets")
        for call in (c.list_buckets, client(s, "ec2").describe_regions):
            call()
        shown = []
        for entry in ("cmdline", "environ"):
            with open(f"/proc/{s.process.pid}/{entry}", "rb") as f:
                shown.append(f.read().decode(errors="replace"))
        with urllib.request.urlopen(s.url + "/metrics") as got:
            shown.append(got.read().decode())
        for secret in (secret for _, secret in ACCOUNTS.values()):
            assert not [text for text in shown + s.log + s.errors if secret in text]
    with open(f"{work}/pvbootd.conf", "a") as f:
        f.write("quota = 1\nsecret = the-secret-in-the-wrong-place\n")
    status, said = check_config(program, f"{work}/pvbootd.conf")
    assert status == 1 and "the-secret-in" not in said, said


CASES = [server_config, server_arguments, server_pages, server_log, server_hostile, server_stops,
         server_tls, server_one_state, server_locks_first, server_older_state, server_older_tags,
         server_modes, server_lost_database, server_clients, server_documents, server_argv]
