"""Stages: where they are, what may be read of a reference to one, and the objects in them."""

import base64
import itertools
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from snowflake.connector.encryption_util import EncryptionMetadata, SnowflakeEncryptionUtil
from snowflake.connector.file_util import SnowflakeFileUtil
from snowflake.connector.storage_client import SnowflakeFileEncryptionMaterial

from names import plain
from refusal import Refusal, missing

_PART = r'(?:"(?:[^"]|"")*"|[A-Za-z0-9_$]+)'
_REFERENCE = re.compile(rf"@(?:(~)|((?:{_PART}\.){{0,2}})(%?)({_PART}))(?:/(.*))?$", re.DOTALL)


@dataclass
class Stage:
    """A stage. `prefix` is where its objects are in the bucket; it ends with a slash."""

    name: tuple
    bucket: str
    prefix: str
    # FULL: clients encrypt. SSE: the store does. NONE: the stage is external.
    encryption: str = "FULL"
    url: str | None = None
    keys: tuple | None = None
    temporary_for: object = None

    def shown(self, path):
        """A file of the stage as `LIST` and `COPY` name it."""
        return (
            f"{self.url.rstrip('/')}/{path}"
            if self.url
            else f"{plain(self.name[-1]).lstrip('%').lower()}/{path}"
        )


@dataclass
class Staged:
    """A file in a stage."""

    stage: Stage
    path: str
    size: int
    etag: str
    modified: object

    @property
    def key(self):
        return self.stage.prefix + self.path

    @property
    def shown(self):
        return self.stage.shown(self.path)


class Stages:
    """All stages of an account, and the keys that were given out for them."""

    def __init__(self, store, bucket, prefix):
        self._store, self._bucket, self._prefix = store, bucket, prefix
        self._stages = {}
        self._materials = {}
        self._numbers = itertools.count(secrets.randbits(40))

    def create(self, name, exists, replace, **more):
        if name in self._stages and not replace:
            if exists:
                return False
            raise Refusal(2002, f"SQL compilation error:\nObject '{'.'.join(name)}' already exists.", "42710")
        prefix = f"{self._prefix}stages/{secrets.token_hex(8)}/"
        stage = Stage(name, self._bucket, prefix, **more)
        if stage.url:
            place = urlparse(stage.url)
            stage.bucket, stage.prefix = place.netloc, place.path.lstrip("/").rstrip("/")
            stage.prefix += "/" if stage.prefix else ""
            stage.encryption = "NONE"
        self._stages[name] = stage
        return True

    def drop(self, name):
        stage = self._stages.pop(name, None)
        if stage and not stage.url:
            for file in self.list(stage, ""):
                self.remove(file)
        return stage is not None

    def drop_all(self, schema):
        """Drops the stages of a schema."""
        for name in [name for name in self._stages if name[:2] == schema]:
            self.drop(name)

    def all(self):
        return list(self._stages.values())

    def find(self, session, reference):
        """The stage and the path below it of `@"db"."schema"."name"/path`."""
        match = _REFERENCE.match(_unquoted(reference))
        if not match:
            raise Refusal(1003, f"SQL compilation error:\nsyntax error in stage reference {reference}")
        user, place, is_table, last, path = match.groups()
        if user:
            name = ("~", session.user.name)
        else:
            parts = [_name(part) for part in re.findall(_PART, place)] + [_name(last)]
            name = session.complete(parts)
            name = (*name[:-1], is_table + name[-1])
        if (user or is_table) and name not in self._stages:
            if is_table and not session.has_table((*name[:-1], name[-1][1:])):
                raise missing("Stage", ".".join(name))
            self.create(name, True, False)
        if name not in self._stages:
            raise missing("Stage", ".".join(name))
        return self._stages[name], path or ""

    def client(self, stage):
        return self._store.client(stage.keys)

    def list(self, stage, path):
        found = []
        pages = self.client(stage).get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=stage.bucket, Prefix=stage.prefix + path):
            for entry in page.get("Contents", ()):
                shown = entry["Key"].removeprefix(stage.prefix)
                if shown and not shown.endswith("/"):
                    etag = entry["ETag"].strip('"')
                    found.append(Staged(stage, shown, entry["Size"], etag, entry["LastModified"]))
        return sorted(found, key=lambda file: file.path)

    def remove(self, file):
        self.client(file.stage).delete_object(Bucket=file.stage.bucket, Key=file.key)

    def new_material(self, query_id):
        """What a client shall encrypt one upload with."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        number = next(self._numbers)
        self._materials[str(number)] = key, query_id
        return {"queryStageMasterKey": key, "queryId": query_id, "smkId": number}

    def material_of(self, file):
        """What an uploaded file says it was encrypted with."""
        metadata = self.head(file)
        description = _description(file, metadata)
        key, query_id = self._materials.get(description.get("smkId"), (None, None))
        return {"queryStageMasterKey": key, "queryId": query_id, "smkId": int(description.get("smkId") or 0)}

    def head(self, file):
        return self.client(file.stage).head_object(Bucket=file.stage.bucket, Key=file.key)["Metadata"]

    def fetch(self, file, folder):
        """The content of a file, decrypted by the official driver's code and checked against its digest."""
        local = Path(folder) / secrets.token_hex(8)
        try:
            metadata = self.client(file.stage).get_object(Bucket=file.stage.bucket, Key=file.key)
        except ClientError as error:
            raise Refusal(91016, f"Remote file '{file.shown}' was not found.", "22000") from error
        with local.open("wb") as content:
            for block in metadata["Body"].iter_chunks(1 << 20):
                content.write(block)
        if file.stage.encryption == "FULL":
            local = self._decrypt(file, local, metadata["Metadata"])
        return local

    def _decrypt(self, file, local, metadata):
        description = _description(file, metadata)
        key, query_id = self._materials.get(str(description.get("smkId")), (None, None))
        if key is None or description.get("queryId") != query_id or description.get("keySize") != "128":
            raise _broken(file, f"x-amz-matdesc names no key that was given out: {description}")
        if not all(isinstance(value, str) for value in description.values()):
            raise _broken(file, f"x-amz-matdesc holds values that are not text: {description}")
        material = SnowflakeFileEncryptionMaterial(key, query_id, int(description["smkId"]))
        try:
            told = EncryptionMetadata(metadata["x-amz-key"], metadata["x-amz-iv"], metadata["x-amz-matdesc"])
            plain = Path(
                SnowflakeEncryptionUtil.decrypt_file(told, material, str(local), tmp_dir=str(local.parent))
            )
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise _broken(file, f"it can't be decrypted: {error!r}") from error
        with plain.open("rb") as content:
            digest, _ = SnowflakeFileUtil.get_digest_and_size(content)
        if metadata.get("sfc-digest") != digest:
            raise _broken(file, f"sfc-digest is {metadata.get('sfc-digest')}, the content's is {digest}")
        local.unlink()
        return plain


def folder():
    return tempfile.TemporaryDirectory(prefix="tidegate-lab-staged-")


def _description(file, metadata):
    import json

    try:
        return json.loads(metadata["x-amz-matdesc"])
    except (KeyError, ValueError) as error:
        raise _broken(file, f"no encryption metadata: {error!r}; there is {sorted(metadata)}") from error


def _broken(file, why):
    return Refusal(100183, f"Unable to decrypt the staged file '{file.shown}': {why}", "22000")


def _unquoted(reference):
    reference = reference.strip()
    if reference.startswith("'"):
        return reference[1:-1].replace("''", "'")
    return reference


def _name(part):
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.upper()
