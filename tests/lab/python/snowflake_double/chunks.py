"""Parts of large results, which clients fetch from elsewhere with a key that only the answer tells."""

import gzip
import json
import secrets
import threading

from refusal import Status

# Rows of one part.
SIZE = 1000


class Chunks:
    def __init__(self):
        self._held, self._lock = {}, threading.Lock()

    def split(self, data, inline, origin):
        """An answer's `data` with its rows after the first so many in parts, fetched from `origin`."""
        rows = data["rowset"]
        if len(rows) <= inline:
            return data
        key, parts = secrets.token_hex(16), []
        for start in range(inline, len(rows), SIZE):
            part = rows[start : start + SIZE]
            # Without the brackets around all, as the service has it.
            plain = json.dumps(part)[1:-1].encode()
            packed, number = gzip.compress(plain, 1), secrets.token_hex(16)
            with self._lock:
                self._held[number] = key, packed
            parts.append(
                {
                    "url": f"{origin}/results/{number}?part={len(parts)}",
                    "rowCount": len(part),
                    "uncompressedSize": len(plain),
                    "compressedSize": len(packed),
                }
            )
        return data | {
            "rowset": rows[:inline],
            "chunks": parts,
            "qrmk": key,
            "chunkHeaders": {"x-amz-server-side-encryption-customer-key": key},
        }

    def fetch(self, number, headers):
        """A part, packed, for who shows the key."""
        with self._lock:
            key, packed = self._held.get(number, (None, b""))
        if key is None or headers.get("x-amz-server-side-encryption-customer-key") != key:
            raise Status(403)
        return packed
