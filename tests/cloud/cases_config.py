"""The configuration: what --check-config finds in it, and in the files and folders that it names."""
import os
import subprocess

from cases_server import check_config
from service import write, write_config


def config_endpoints(program, work):
    """What an endpoint may be."""
    for endpoint in ("localhost", "cloud.example.org:8773", "192.0.2.1", "[2001:db8::1]:8773"):
        status, said = check_config(program, write_config(work, f"endpoint = {endpoint}"))
        assert status == 0, (endpoint, said)


def config_twice(program, work):
    """A setting stands once in its section; both lines are named."""
    path = write_config(work, "threads = 2\nlog = text\nthreads = 3")
    with open(path) as f:
        text = f.read()
    lines = text.splitlines()
    first = lines.index("threads = 2") + 1
    status, said = check_config(program, path)
    assert status == 1 and said == \
        f"pvbootd: {path}:{first + 2}: threads is given twice, first in line {first}\n", said
    write(path, text.replace("threads = 3\n", "") + "quota = 2G\n")
    status, said = check_config(program, path)
    last = len(lines)
    assert status == 1 and said == \
        f"pvbootd: {path}:{last}: quota is given twice, first in line {last - 1}\n", said


def config_every_mistake(program, work):
    """One run tells what is wrong with the lines, the files, the state and the engine."""
    path = write_config(work)
    with open(path) as f:
        lines = [one for one in f.read().splitlines()
                 if one.split(" ")[0] not in ("akis", "types", "state")]
    wrong = ["akis = /nonex", "types = /nonex", "xen32 = /nonex", "engine = foo",
             "state = /etc/passwd", "endpoint = a b", "tls-certificate = /nonex/c",
             "tls-key = /nonex/k", "colour = red"]
    write(path, "\n".join(wrong + lines) + "\n")
    status, said = check_config(program, path)
    told = ("endpoint is HOST", "no setting \"colour\"", "akis: /nonex cannot be read",
            "types: /nonex: No such", "xen32: /nonex: No such", "not \"foo\"",
            "state: /etc/passwd is no directory", "/nonex/c: No such", "/nonex/k: No such")
    assert status == 1 and said.count("\n") == len(told), said
    for part in told:
        assert part in said, (part, said)


def config_state_folder(program, work):
    """What cannot be the folder of the state is told; one that can is left as it was."""
    path = write_config(work)
    with open(path) as f:
        text = f.read()

    def check(folder):
        write(path, text.replace(f"state = {work}/state\n", f"state = {folder}\n"))
        return check_config(program, path)

    for folder, why in (("/etc/passwd", "state: /etc/passwd is no directory"),
                        ("/etc/passwd/x", "state: /etc/passwd/x: Not a directory"),
                        ("/proc", "state: nothing can be made in /proc: "),
                        ("/nonexist/a/b", "state: /nonexist/a/: No such file"),
                        ("relative", "state must be an absolute path")):
        status, said = check(folder)
        assert status == 1 and why in said and said.count("\n") == 1, (folder, said)
    os.mkdir(f"{work}/empty")
    for folder in (f"{work}/empty", f"{work}/none", f"{work}/none///"):
        before = sorted(os.listdir(work))
        status, said = check(folder)
        assert status == 0, (folder, said)
        assert sorted(os.listdir(work)) == before and not os.listdir(f"{work}/empty")


def make_certificate(work, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-keyout", f"{work}/{name}.key",
                    "-out", f"{work}/{name}.crt"], check=True, capture_output=True)


def config_keys(program, work):
    """Certificates and keys that no service could use."""
    for name in ("one", "two"):
        make_certificate(work, name)
    subprocess.run(["openssl", "pkey", "-in", f"{work}/one.key", "-aes256", "-passout", "pass:word",
                    "-out", f"{work}/locked.key"], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=x",
                    "-keyout", f"{work}/ec.key", "-out", f"{work}/ec.crt"],
                   check=True, capture_output=True)
    write(f"{work}/text", "no PEM\n")

    def check(kind, certificate, key):
        return check_config(program, write_config(
            work, f"{kind}-certificate = {work}/{certificate}\n{kind}-key = {work}/{key}"))

    for kind, certificate, key, why in (
            ("tls", "one.crt", "two.key", f"two.key and {work}/one.crt do not belong together"),
            ("tls", "one.crt", "locked.key", "locked.key is protected by a passphrase"),
            ("tls", "text", "one.key", "text is no certificate in PEM form"),
            ("tls", "one.crt", "text", "text is no private key in PEM form"),
            ("tls", "one.key", "one.key", "one.key is no certificate in PEM form"),
            ("ec2", "one.crt", "two.key", f"two.key and {work}/one.crt do not belong together"),
            ("ec2", "one.crt", "locked.key", "locked.key is protected by a passphrase"),
            ("ec2", "one.crt", "text", "text is no private key in PEM form")):
        status, said = check(kind, certificate, key)
        assert status == 1 and why in said and said.count("\n") == 1, (kind, key, said)
    for kind, name in (("tls", "one"), ("tls", "ec"), ("ec2", "one")):
        status, said = check(kind, f"{name}.crt", f"{name}.key")
        assert status == 0, (kind, name, said)


def config_public_keys(program, work):
    """A private key that everybody can read is refused, by the check and by a start."""
    make_certificate(work, "one")
    for kind in ("tls", "ec2"):
        path = write_config(work, f"{kind}-certificate = {work}/one.crt\n"
                                  f"{kind}-key = {work}/one.key")
        for mode in (0o604, 0o644):
            os.chmod(f"{work}/one.key", mode)
            for words in (["--check-config"], []):
                done = subprocess.run([program, "--config", path] + words, capture_output=True,
                                      text=True, timeout=60, check=False)
                assert done.returncode == 1 and done.stderr == \
                    f"pvbootd: {work}/one.key holds a secret and can be read by everybody; " \
                    "chmod o= it\n", (kind, words, done)
        os.chmod(f"{work}/one.key", 0o640)
        status, said = check_config(program, path)
        assert status == 0, (kind, said)

CASES = [config_endpoints, config_twice, config_every_mistake, config_state_folder, config_keys,
         config_public_keys]
