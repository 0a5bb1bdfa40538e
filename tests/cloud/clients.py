"""The clients that the tests use, set up for a service and an account."""
import contextlib
import os
import subprocess

import boto3
import botocore.config
import botocore.exceptions

from service import ACCOUNTS, REGION, Service, write_config

ONE, TWO = ACCOUNTS


@contextlib.contextmanager
def running(program, work, extra="", quota="1G"):
    """A service that is stopped at the end, and must end well."""
    with running_as(program, write_config(work, extra, quota)) as s:
        yield s


@contextlib.contextmanager
def running_as(program, config):
    """The same with a configuration that is there already."""
    s = Service(program, config)
    try:
        yield s
    finally:
        status = s.stop()
    assert status == 0, f"pvbootd ended with {status}: {''.join(s.errors)}"


def client(s, name, account=ONE, region=REGION, secret=None, **config):
    """boto3's client; `signature_version` and the like go into its configuration."""
    key, right = ACCOUNTS[account]
    return boto3.client(
        name, endpoint_url=s.url, region_name=region, aws_access_key_id=key,
        aws_secret_access_key=secret or right,
        config=botocore.config.Config(retries={"max_attempts": 0},
                                      s3={"addressing_style": "path"}, **config))


def aws(s, *arguments, account=ONE, check=True):
    """The `aws` command, its standard output."""
    key, secret = ACCOUNTS[account]
    env = dict(os.environ, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret,
               AWS_DEFAULT_REGION=REGION, AWS_PAGER="", AWS_CONFIG_FILE="/dev/null",
               AWS_EC2_METADATA_DISABLED="true")
    done = subprocess.run(["/usr/bin/aws", "--endpoint-url", s.url, *arguments], env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if check else done.stderr


def fails(code, call, *args, **kwargs):
    """The call must fail with this code; returns the message."""
    try:
        call(*args, **kwargs)
    except botocore.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"].get("Message", "")
    raise AssertionError(f"{code} expected, but the call succeeded")
