"""Objects of an S3 server as local files, since DuckDB carries no S3 reader of its own."""

import os
import re
import tempfile

from pyarrow import fs


class Bucket:
    """Copies what lies under the `s3://` URLs of a text into a folder that ends with this object."""

    def __init__(self, endpoint, key, secret):
        self.files = fs.S3FileSystem(
            access_key=key, secret_key=secret, endpoint_override=endpoint, region="us-east-1"
        )
        self.folder = tempfile.TemporaryDirectory(prefix="tidegate-lab-s3-")

    def localise(self, text):
        """The text with every `s3://` URL replaced by the path of its local copy."""
        for bucket in set(re.findall(r"s3://([a-z0-9.-]+)/", text)):
            self._copy(bucket)
        return text.replace("s3://", self.folder.name + "/")

    def _copy(self, bucket):
        for info in self.files.get_file_info(fs.FileSelector(bucket, recursive=True)):
            path = os.path.join(self.folder.name, info.path)
            if info.is_file:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with self.files.open_input_stream(info.path) as source, open(path, "wb") as target:
                    while block := source.read(1 << 20):
                        target.write(block)
