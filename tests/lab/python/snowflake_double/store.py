"""The S3 server behind the stages, and the credentials that are lent to clients for a while."""

import secrets
import threading
import time

import boto3
from botocore.config import Config


class Store:
    def __init__(self, endpoint, region, access_key, secret_key, bucket):
        self.endpoint, self.region, self.bucket = endpoint, region, bucket
        self.keys = access_key, secret_key
        self._clients, self._lock = {}, threading.Lock()
        self._lent = {}

    def client(self, keys=None):
        """A client with the given keys; by default with those of the stages' own bucket."""
        keys = keys or self.keys
        with self._lock:
            if keys not in self._clients:
                config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2})
                self._clients[keys] = boto3.client(
                    "s3",
                    endpoint_url=self.endpoint,
                    region_name=self.region,
                    aws_access_key_id=keys[0],
                    aws_secret_access_key=keys[1],
                    config=config,
                )
            return self._clients[keys]

    def lend(self, bucket, prefix, access, seconds):
        """Temporary credentials for what lies below a prefix."""
        loan = {
            "access_key": "ASIA" + secrets.token_hex(8).upper(),
            "secret_key": secrets.token_urlsafe(30),
            "token": secrets.token_urlsafe(120),
            "bucket": bucket,
            "prefix": prefix,
            "access": access,
            "until": time.monotonic() + seconds,
        }
        self._lent[loan["access_key"]] = loan
        return {
            "AWS_KEY_ID": loan["access_key"],
            "AWS_SECRET_KEY": loan["secret_key"],
            "AWS_TOKEN": loan["token"],
            "AWS_ID": loan["access_key"],
            "AWS_KEY": loan["secret_key"],
        }

    def loan(self, access_key):
        return self._lent.get(access_key)
