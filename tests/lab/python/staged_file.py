"""The official Python driver's own code on files of stages.

    staged_file.py open FILE MASTER_KEY METADATA     decrypts a file; METADATA is the JSON of S3's metadata
    staged_file.py seal FILE MASTER_KEY TARGET       encrypts a file into TARGET

MASTER_KEY is base64. Prints what it found as one JSON object.
"""

import json
import shutil
import sys

from snowflake.connector.encryption_util import EncryptionMetadata, SnowflakeEncryptionUtil
from snowflake.connector.file_util import SnowflakeFileUtil
from snowflake.connector.storage_client import SnowflakeFileEncryptionMaterial


def digest_of(path):
    with open(path, "rb") as content:
        digest, size = SnowflakeFileUtil.get_digest_and_size(content)
    return {"digest": digest, "bytes": size}


def opened(path, key, metadata):
    metadata = json.loads(metadata)
    told = EncryptionMetadata(metadata["x-amz-key"], metadata["x-amz-iv"], metadata["x-amz-matdesc"])
    description = json.loads(told.matdesc)
    material = SnowflakeFileEncryptionMaterial(key, description["queryId"], int(description["smkId"]))
    plain = SnowflakeEncryptionUtil.decrypt_file(told, material, path, tmp_dir=path.rpartition("/")[0])
    return digest_of(plain)


def sealed(path, key, target):
    material = SnowflakeFileEncryptionMaterial(key, "01b2c3d4-0000-1111", 92019683850)
    told, encrypted = SnowflakeEncryptionUtil.encrypt_file(material, path, tmp_dir=path.rpartition("/")[0])
    shutil.move(encrypted, target)
    return {"x-amz-key": told.key, "x-amz-iv": told.iv, "x-amz-matdesc": told.matdesc,
            "sfc-digest": digest_of(path)["digest"]}


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps({"open": opened, "seal": sealed}[command](*arguments)))
