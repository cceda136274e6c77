//! What a store or a file system says, as [`protocol::Error`]: kind, what failed on what, what to do.
//!
//! The text of a cause is cleaned first: S3 answers some refusals with the session token that it
//! was sent, or with the text that was to be signed.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use object_store::client::HttpError;
use protocol::{Error, ErrorKind};

/// The text of a cause, without what a server may have repeated of the request.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// What an answer says, as far as it is known.
struct Answer {
    /// Everything that the error chain says, uncleaned: searched, never shown.
    text: String,
    /// S3's name for the failure: `NoSuchBucket`.
    code: Option<String>,
    status: Option<u16>,
    /// The request never got an answer.
    transport: bool,
}

/// A failed request to an object store. `action` is what was tried on `place`: `can't read`.
pub(crate) fn store(action: &str, place: &str, error: &object_store::Error) -> Error {
    let answer = Answer::of(error);
    let (kind, hint) = answer.verdict(error);
    let mut message = format!("{action} {place}");
    if kind == ErrorKind::Config && answer.is("NoSuchBucket") {
        message = format!("{message}: the bucket does not exist");
    }
    let out = Error::new(kind, message).with_source(Cause(answer.clean()));
    match hint {
        Some(hint) => out.hint(hint),
        None => out,
    }
}

/// Whether the store says that the thing itself is missing, and not the bucket around it.
pub(crate) fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !Answer::of(error).is("NoSuchBucket")
}

/// A failed call to the file system.
pub(crate) fn file(action: &str, path: &Path, error: io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Auth, Some("let the user that runs tidegate write there"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            ErrorKind::Storage,
            Some("make room; nothing of the sync is visible yet, running it again is safe"),
        ),
        io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::Storage, Some("mount the file system writable")),
        io::ErrorKind::NotFound => (ErrorKind::Config, None),
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => {
            (ErrorKind::Config, Some("point the destination's `url` at a directory"))
        }
        io::ErrorKind::CrossesDevices => (
            ErrorKind::Config,
            Some("the target's folder and `_tidegate` must lie on one file system, without links in between"),
        ),
        io::ErrorKind::Unsupported => (
            ErrorKind::Config,
            Some(
                "the file system must offer hard links: most local and network ones do, FAT and some cloud mounts do not",
            ),
        ),
        io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (ErrorKind::Transient, None)
        }
        _ => (ErrorKind::Storage, None),
    };
    let out = Error::new(kind, format!("{action} {}", path.display())).with_source(error);
    match hint {
        Some(hint) => out.hint(hint),
        None => out,
    }
}

impl Answer {
    fn of(error: &object_store::Error) -> Self {
        let mut text = error.to_string();
        let mut transport = false;
        let mut cause = error.source();
        while let Some(error) = cause {
            transport |= error.is::<HttpError>();
            let own = error.to_string();
            if !text.contains(&own) {
                text.push_str(": ");
                text.push_str(&own);
            }
            cause = error.source();
        }
        let code = element(&text, "Code").map(str::to_owned);
        let status = text
            .split_once("status code: ")
            .and_then(|(_, rest)| rest.get(..3))
            .and_then(|status| status.parse().ok());
        Self { text, code, status, transport }
    }

    fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// The text up to the server's own words, and of those the code and the message.
    fn clean(&self) -> String {
        let own = self.text.split(['<', '{']).next().unwrap_or_default().trim().trim_end_matches(':');
        let mut out = own.to_owned();
        for name in ["Code", "Message"] {
            if let Some(words) = element(&self.text, name) {
                out.push_str(": ");
                out.extend(words.chars().take(300));
            }
        }
        out
    }

    fn verdict(&self, error: &object_store::Error) -> (ErrorKind, Option<&'static str>) {
        use object_store::Error as E;
        match error {
            E::NotFound { .. } if self.is("NoSuchBucket") => {
                (ErrorKind::Config, Some("create the bucket, or correct `url`, `region` and `endpoint`"))
            }
            // A rule or a person aborted it while it was written: the file is written again.
            E::NotFound { .. } if self.is("NoSuchUpload") => (ErrorKind::Transient, None),
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => self.refusal(),
            E::NotSupported { .. } | E::NotImplemented { .. } => (ErrorKind::Unsupported, None),
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => {
                (ErrorKind::Transient, None)
            }
            E::NotFound { .. } | E::InvalidPath { .. } | E::UnknownConfigurationKey { .. } => {
                (ErrorKind::Config, None)
            }
            E::JoinError { .. } => (ErrorKind::Internal, None),
            _ => self.general(),
        }
    }

    fn refusal(&self) -> (ErrorKind, Option<&'static str>) {
        let hint = match self.code.as_deref() {
            Some("InvalidAccessKeyId") => {
                "this access key is not known there: check `access_key_id` and `endpoint`"
            }
            Some("SignatureDoesNotMatch") => {
                "the secret does not belong to the access key: check `secret_access_key`"
            }
            Some("RequestTimeTooSkewed") => {
                "this machine's clock is off by more than the store allows: set it"
            }
            Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                "the session token has expired: get new credentials"
            }
            _ => {
                "the role needs s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject and \
                 s3:AbortMultipartUpload below the prefix; without s3:ListBucket a missing object looks \
                 like a forbidden one"
            }
        };
        (ErrorKind::Auth, Some(hint))
    }

    /// Failures that `object_store` has no name for: by the answer's code and status, or by the text
    /// of what kept it from arriving.
    fn general(&self) -> (ErrorKind, Option<&'static str>) {
        match self.code.as_deref() {
            Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => return self.refusal(),
            Some(
                "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException",
            ) => {
                return (ErrorKind::Config, Some(REGION));
            }
            Some("RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch") => {
                return (ErrorKind::Transient, None);
            }
            Some("XMinioStorageFull" | "QuotaExceeded" | "InsufficientStorage") => {
                return (ErrorKind::Storage, Some("make room in the object store, or raise its quota"));
            }
            _ => {}
        }
        if self.text.contains("169.254.169.254") || self.text.contains("169.254.170.2") {
            return (
                ErrorKind::Auth,
                Some(
                    "no AWS credentials were found: set `access_key_id` and `secret_access_key`, the AWS_* \
                     environment, or run where a role is attached",
                ),
            );
        }
        if self.text.contains("Received redirect without LOCATION") {
            return (ErrorKind::Config, Some(REGION));
        }
        if self.transport && (self.text.contains("certificate") || self.text.contains("UnknownIssuer")) {
            return (
                ErrorKind::Config,
                Some(
                    "the endpoint's certificate is not trusted here: name the CA that signed it in `ca_file`",
                ),
            );
        }
        match self.status {
            Some(301 | 302 | 307 | 308) => (ErrorKind::Config, Some(REGION)),
            Some(429) => (ErrorKind::RateLimited { retry_after: None }, None),
            Some(405 | 501) => {
                (ErrorKind::Unsupported, Some("this store does not offer what tidegate needs"))
            }
            Some(507) => (ErrorKind::Storage, Some("make room in the object store")),
            Some(408 | 409 | 412 | 500..=599) => (ErrorKind::Transient, None),
            Some(400..=499) => (ErrorKind::Config, None),
            _ => (ErrorKind::Transient, None),
        }
    }
}

const REGION: &str = "the bucket is in another region or behind another address: set `region`, or `endpoint`";

/// The text of the first XML element of that name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: format!(
                "Error performing PUT http://s3/b/k in 1s - Server returned non-2xx status code: {status} X: \
                 <?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said so</Message>\
                 <Token-0>canary</Token-0><StringToSign>canary</StringToSign></Error>"
            )
            .into(),
        }
    }

    #[test]
    fn kinds_follow_code_and_status() {
        for (status, code, kind) in [
            (400, "ExpiredToken", ErrorKind::Auth),
            (400, "AuthorizationHeaderMalformed", ErrorKind::Config),
            (400, "IncompleteBody", ErrorKind::Transient),
            (400, "InvalidArgument", ErrorKind::Config),
            (429, "SlowDown", ErrorKind::RateLimited { retry_after: None }),
            (501, "NotImplemented", ErrorKind::Unsupported),
            (503, "SlowDown", ErrorKind::Transient),
            (507, "XMinioStorageFull", ErrorKind::Storage),
        ] {
            assert_eq!(store("can't write", "s3://b/k", &answered(status, code)).kind(), kind, "{code}");
        }
    }

    #[test]
    fn what_the_server_repeats_of_the_request_is_not_shown() {
        let error = store("can't write", "s3://b/k", &answered(400, "ExpiredToken"));
        let shown = format!("{error:#} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("ExpiredToken: said so") && shown.contains("PUT http://s3/b/k"), "{shown}");
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let missing = |code: &str| object_store::Error::NotFound {
            path: "k".into(),
            source: format!("status code: 404 Not Found: <Code>{code}</Code>").into(),
        };
        assert!(is_missing(&missing("NoSuchKey")));
        assert!(!is_missing(&missing("NoSuchBucket")));
        let error = store("can't list", "s3://b/p", &missing("NoSuchBucket"));
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.message(), "can't list s3://b/p: the bucket does not exist");
    }

    #[test]
    fn missing_credentials_are_named() {
        let error = object_store::Error::Generic {
            store: "S3",
            source: "Error performing PUT http://169.254.169.254/latest/api/token in 9s - HTTP error".into(),
        };
        let error = store("can't read", "s3://b/k", &error);
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.advice().unwrap().contains("no AWS credentials"));
    }

    #[test]
    fn file_systems_say_whether_it_is_rights_or_room() {
        for (errno, kind) in [
            (13, ErrorKind::Auth),
            (28, ErrorKind::Storage),
            (122, ErrorKind::Storage),
            (30, ErrorKind::Storage),
            (20, ErrorKind::Config),
            (5, ErrorKind::Storage),
        ] {
            let error = file("can't write", Path::new("/lake"), io::Error::from_raw_os_error(errno));
            assert_eq!(error.kind(), kind, "{error:?}");
            assert_eq!(error.message(), "can't write /lake");
        }
    }
}
