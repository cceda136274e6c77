"""Changes one byte of every object below a prefix, and prints how many there were.

usage: damage_objects.py ENDPOINT KEY SECRET BUCKET PREFIX
"""

import sys

import boto3


def main():
    endpoint, key, secret, bucket, prefix = sys.argv[1:]
    store = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    entries = store.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    for entry in entries:
        found = store.get_object(Bucket=bucket, Key=entry["Key"])
        content = bytearray(found["Body"].read())
        content[len(content) // 2] ^= 1
        store.put_object(Bucket=bucket, Key=entry["Key"], Body=bytes(content), Metadata=found["Metadata"])
    print(len(entries))


main()
