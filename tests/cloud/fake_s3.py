"""A small S3 that misbehaves on demand. It believes every signature, and keeps all in memory."""
import hashlib
import http.server
import threading
import urllib.parse

PAGE = 2  # keys of one listing: all that come back in pages


class FakeS3:
    """objects: {"/bucket/key": bytes}. `misbehave(handler, nr)` sees each PUT of an object before
    it is stored, counted from 1; when it returns True it has answered. puts: the paths of all of
    them; stored: of those that it let pass."""

    def __init__(self, misbehave=None):
        self.objects, self.buckets = {}, set()
        self.puts, self.stored, self.headers = [], [], []
        self.misbehave = misbehave
        self.page = PAGE
        self.ignores_prefix = self.lists_nothing = False
        self.deleted, self.asked = [], []  # asked: "METHOD /path" of what reads
        self.silent = lambda asked: False  # which of those get no answer until the end
        self.end = threading.Event()
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def error(self, status, code):
                self.reply(status, b"<?xml version='1.0'?><Error><Code>%s</Code>"
                           b"<Message>%s, says the fake.</Message></Error>" % ((code.encode(),) * 2))

            def do_PUT(self):
                size = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(size)
                if len(body) < size:
                    return  # the client is gone
                if self.path.count("/") == 1:
                    fake.buckets.add(self.path)
                    self.reply(200)
                    return
                with fake.lock:
                    fake.puts.append(self.path)
                    fake.headers.append(self.headers)
                    nr = len(fake.puts)
                if fake.misbehave and fake.misbehave(self, nr):
                    return
                fake.objects[self.path] = body
                fake.stored.append(self.path)
                self.reply(200, ETag='"%s"' % hashlib.md5(body).hexdigest())

            def says_nothing(self, asked):
                fake.asked.append(asked)
                if not fake.silent(asked):
                    return False
                fake.end.wait()
                self.close_connection = True
                return True

            def do_HEAD(self):
                if self.says_nothing("HEAD " + self.path):
                    return
                found = fake.objects.get(self.path)
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()

            def do_GET(self):
                path, _, query = self.path.partition("?")
                if self.says_nothing("GET " + path):
                    return
                if "/" + path.split("/")[1] not in fake.buckets:
                    self.error(404, "NoSuchBucket")
                elif path.count("/") == 1:
                    self.list(path, dict(urllib.parse.parse_qsl(query)))
                elif path in fake.objects:
                    self.reply(200, fake.objects[path])
                else:
                    self.error(404, "NoSuchKey")

            def list(self, bucket, query):
                if fake.lists_nothing:
                    self.error(403, "AccessDenied")
                    return
                start = bucket + "/" + ("" if fake.ignores_prefix else query.get("prefix", ""))
                keys = sorted(k for k in fake.objects if k.startswith(start))
                keys = [k for k in keys if k > query.get("continuation-token", "")]
                page = keys[:fake.page]
                text = "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
                for k in page:
                    text += "<Contents><Key>%s</Key><ETag>&quot;%s&quot;</ETag><Size>%d</Size></Contents>" % (
                        k[len(bucket) + 1:], hashlib.md5(fake.objects[k]).hexdigest(),
                        len(fake.objects[k]))
                if len(keys) > fake.page:
                    text += "<IsTruncated>true</IsTruncated><NextContinuationToken>%s" \
                            "</NextContinuationToken>" % page[-1]
                self.reply(200, (text + "</ListBucketResult>").encode())

            def do_DELETE(self):
                fake.objects.pop(self.path, None)
                fake.deleted.append(self.path)
                self.reply(204)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()
