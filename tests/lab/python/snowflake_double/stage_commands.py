"""The statements about stages: CREATE, DROP, PUT, GET, LIST, REMOVE, SHOW STAGES."""

import os
import re

import rows
from refusal import Refusal, missing
from statement import GET, PUT

_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_NAME = rf"{_PART}(?:\.{_PART}){{0,2}}"
_REFERENCE = r"('@(?:[^']|'')*'|@(?:\"(?:[^\"]|\"\")*\"|[^\s'\";])+)"
_CREATE = re.compile(
    rf"CREATE\s+(OR\s+REPLACE\s+)?(TEMP(?:ORARY)?\s+)?STAGE\s+(IF\s+NOT\s+EXISTS\s+)?({_NAME})(.*)$",
    re.I | re.S,
)
_DROP = re.compile(rf"DROP\s+STAGE\s+(IF\s+EXISTS\s+)?({_NAME})$", re.I)
_PUT = re.compile(rf"PUT\s+('(?:[^']|'')*'|\S+)\s+{_REFERENCE}(.*)$", re.I | re.S)
_GET = re.compile(rf"GET\s+{_REFERENCE}\s+('(?:[^']|'')*'|\S+)(.*)$", re.I | re.S)
_LIST = re.compile(rf"(LIST|LS|REMOVE|RM)\s+{_REFERENCE}(?:\s+PATTERN\s*=\s*'((?:[^']|'')*)')?$", re.I | re.S)
_SHOW = re.compile(
    rf"SHOW\s+STAGES(?:\s+LIKE\s+'((?:[^']|'')*)')?(?:\s+IN\s+(?:(ACCOUNT)|(?:SCHEMA\s+|DATABASE\s+)?({_NAME})))?$",
    re.I,
)


def answer(session, statement):
    """The result of a statement about stages; none for other statements."""
    text = statement.text
    for pattern, command in (
        (_PUT, _put),
        (_GET, _get),
        (_LIST, _list),
        (_CREATE, _create),
        (_DROP, _drop),
        (_SHOW, _show),
    ):
        if match := pattern.match(text):
            return command(session, statement, match)
    return None


def names(text):
    parts = re.findall(_PART, text)
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part.upper() for part in parts]


def _create(session, statement, match):
    replace, _temporary, exists, name, options = match.groups()
    full = session.complete(names(name))
    session.need_schema_of(full)
    url = re.search(r"\bURL\s*=\s*'([^']*)'", options, re.I)
    keys = [
        re.search(rf"\b{word}\s*=\s*'([^']*)'", options, re.I) for word in ("AWS_KEY_ID", "AWS_SECRET_KEY")
    ]
    encryption = "SSE" if re.search(r"TYPE\s*=\s*'SNOWFLAKE_SSE'", options, re.I) else "FULL"
    if url and not url[1].startswith("s3://"):
        raise Refusal(2, f"the stand-in knows external stages of S3 only, not {url[1]}")
    made = session.account.stages.create(
        full,
        bool(exists),
        bool(replace),
        encryption=encryption,
        url=url and url[1],
        keys=tuple(key[1] for key in keys) if all(keys) else None,
    )
    shown = full[-1]
    return rows.success(
        f"Stage area {shown} successfully created."
        if made
        else f"{shown} already exists, statement succeeded.",
        statement.type_id or 0x6000,
    )


def _drop(session, statement, match):
    exists, name = match.groups()
    full = session.complete(names(name))
    if not session.account.stages.drop(full) and not exists:
        raise missing("Stage", ".".join(full))
    return rows.success(f"{full[-1]} successfully dropped.", 0x6000)


def _options(text):
    return {
        key.upper(): value.strip("'").upper() for key, value in re.findall(r"(\w+)\s*=\s*('[^']*'|\S+)", text)
    }


def _source(word):
    """The local file, as clients write it into the statement: by a URL, quoted or not."""
    if word.startswith("'"):
        word = re.sub(r"\\(.)", r"\1", word[1:-1].replace("''", "'"))
    return word.removeprefix("file://")


def _put(session, statement, match):
    source, reference, options = match.groups()
    options = _options(options)
    account = session.account
    stage, path = account.stages.find(session, reference)
    if stage.url:
        raise Refusal(1003, "SQL compilation error:\nPUT needs an internal stage.")
    query_id = statement.query_id
    material = account.stages.new_material(query_id) if stage.encryption == "FULL" else None
    # A path is a folder to PUT, whether or not it ends with a slash.
    folder = path if not path or path.endswith("/") else path + "/"
    return rows.Result(
        [],
        [],
        data={
            "command": "UPLOAD",
            "operation": "Node",
            "src_locations": [_source(source)],
            "parallel": int(options.get("PARALLEL", 4)),
            "threshold": 209715200,
            "autoCompress": options.get("AUTO_COMPRESS", "TRUE") == "TRUE",
            "overwrite": options.get("OVERWRITE", "FALSE") == "TRUE",
            "sourceCompression": options.get("SOURCE_COMPRESSION", "auto_detect").lower(),
            "clientShowEncryptionParameter": True,
            "encryptionMaterial": material,
            "statementTypeId": PUT,
            "stageInfo": _stage_info(session, stage, folder, "write"),
            "presignedUrl": None,
        },
    )


def _stage_info(session, stage, folder, access):
    location = f"{stage.bucket}/{stage.prefix}{folder}"
    return {
        "locationType": "S3",
        "location": location,
        "path": folder,
        "region": "us-east-1",
        "storageAccount": None,
        "isClientSideEncrypted": stage.encryption == "FULL",
        "creds": session.account.lend(stage, access),
        "presignedUrl": None,
        "endPoint": session.account.endpoint,
        "useS3RegionalUrl": False,
        "useRegionalUrl": False,
        "useVirtualUrl": False,
    }


def _get(session, statement, match):
    reference, target, options = match.groups()
    options = _options(options)
    stage, path = session.account.stages.find(session, reference)
    files = session.account.stages.list(stage, path)
    # Files are named from the folder on that the reference names.
    folder = path if path.endswith("/") or not path else os.path.dirname(path) + "/" * ("/" in path)
    data = {
        "command": "DOWNLOAD",
        "operation": "Node",
        "src_locations": [file.path.removeprefix(folder) for file in files],
        "localLocation": _source(target),
        "parallel": int(options.get("PARALLEL", 10)),
        "threshold": 209715200,
        "autoCompress": True,
        "overwrite": True,
        "clientShowEncryptionParameter": True,
        "statementTypeId": GET,
        "stageInfo": _stage_info(session, stage, folder, "read"),
        "encryptionMaterial": [session.account.stages.material_of(file) for file in files]
        if stage.encryption == "FULL"
        else [None for _ in files],
        "presignedUrls": None,
    }
    return rows.Result([], [], data=data)


def _list(session, _statement, match):
    word, reference, pattern = match.groups()
    stage, path = session.account.stages.find(session, reference)
    files = session.account.stages.list(stage, path)
    if pattern:
        wanted = re.compile(pattern.replace("''", "'"))
        files = [file for file in files if wanted.fullmatch(file.shown) or wanted.fullmatch(file.path)]
    if word.upper() in ("LIST", "LS"):
        shown = [
            [file.shown, file.size, file.etag, file.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")]
            for file in files
        ]
        return rows.made(["name", "size", "md5", "last_modified"], shown)
    for file in files:
        session.account.stages.remove(file)
    return rows.made(["name", "result"], [[file.shown, "removed"] for file in files])


def _show(session, _statement, match):
    like, everywhere, place = match.groups()
    if everywhere:
        wanted = ()
    elif place:
        parts = names(place)
        wanted = (
            tuple(parts)
            if len(parts) == 2 or re.search(r"IN\s+DATABASE", match[0], re.I)
            else (session.connection.database, *parts)
        )
    else:
        wanted = tuple(part for part in (session.connection.database, session.connection._schema) if part)
    found = [
        stage
        for stage in session.account.stages.all()
        if len(stage.name) == 3 and not stage.name[2].startswith("%") and stage.name[: len(wanted)] == wanted
    ]
    if like:
        wanted_name = re.compile(
            re.escape(like).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL
        )
        found = [stage for stage in found if wanted_name.fullmatch(stage.name[2])]
    names_of = [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "url",
        "has_credentials",
        "has_encryption_key",
        "owner",
        "comment",
        "region",
        "type",
        "cloud",
        "storage_integration",
    ]
    return rows.made(
        names_of,
        [
            [
                "2026-01-01 00:00:00.000 +0000",
                stage.name[2],
                stage.name[0],
                stage.name[1],
                stage.url or "",
                "Y" if stage.keys else "N",
                "N",
                session.role,
                "",
                "us-east-1",
                "EXTERNAL" if stage.url else "INTERNAL",
                "AWS",
                None,
            ]
            for stage in found
        ],
    )
