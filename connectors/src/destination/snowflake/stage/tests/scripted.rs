//! A session that answers a stage's statements from a script.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::super::internal::Statements;
use crate::destination::snowflake::client::{
    Answer, Column, Direction, EncryptionMaterial, Place, RemoteFile, UploadTarget,
};

type Targets = Box<dyn Fn(usize, &str) -> BoxFuture<'static, Result<UploadTarget>> + Send + Sync>;
type Runs = Box<dyn Fn(&str) -> BoxFuture<'static, Result<Answer>> + Send + Sync>;

pub(super) struct Scripted {
    targets: Targets,
    runs: Runs,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// `PUT` and `GET`, counted from 0, are answered so; other statements do nothing.
    pub(super) fn new(
        targets: impl Fn(usize, &str) -> Result<UploadTarget> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::with(
            move |number, sql| std::future::ready(targets(number, sql)).boxed(),
            |_| async { Ok(Answer::default()) }.boxed(),
        )
    }

    pub(super) fn with(
        targets: impl Fn(usize, &str) -> BoxFuture<'static, Result<UploadTarget>> + Send + Sync + 'static,
        runs: impl Fn(&str) -> BoxFuture<'static, Result<Answer>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { targets: Box::new(targets), runs: Box::new(runs), asked: Mutex::default() })
    }

    /// Every `PUT` is answered with that place.
    pub(super) fn putting(place: Place, encryption: Option<EncryptionMaterial>) -> Arc<Self> {
        Self::new(move |_, _| Ok(upload_to(&place, encryption.as_ref())))
    }

    /// The statements so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, sql: &str) -> usize {
        let mut asked = self.asked.lock().unwrap();
        asked.push(sql.to_owned());
        asked.iter().filter(|sql| sql.starts_with("PUT") || sql.starts_with("GET")).count()
    }
}

impl Statements for Scripted {
    fn run(&self, sql: String) -> BoxFuture<'_, Result<Answer>> {
        self.note(&sql);
        (self.runs)(&sql)
    }

    fn target(&self, sql: String) -> BoxFuture<'_, Result<UploadTarget>> {
        let number = self.note(&sql) - 1;
        async move {
            // As slow as a statement, so that others come meanwhile.
            tokio::task::yield_now().await;
            (self.targets)(number, &sql).await
        }
        .boxed()
    }
}

pub(super) fn upload_to(place: &Place, encryption: Option<&EncryptionMaterial>) -> UploadTarget {
    UploadTarget {
        direction: Direction::Upload,
        place: place.clone(),
        encryption: encryption.cloned(),
        files: Vec::new(),
        query_id: None,
    }
}

pub(super) fn download_from(place: &Place, files: Vec<RemoteFile>) -> UploadTarget {
    UploadTarget {
        direction: Direction::Download,
        place: place.clone(),
        encryption: None,
        files,
        query_id: None,
    }
}

/// The path in a statement's `'@"…"/path'`.
pub(super) fn path_in(sql: &str) -> &str {
    let (_, rest) = sql.split_once(r#""_LOAD"/"#).unwrap();
    rest.split('\'').next().unwrap()
}

/// What `LIST` answers.
pub(super) fn listing(files: &[(String, u64)]) -> Answer {
    let column = |name: &str| Column { name: name.into(), ..Column::default() };
    let row = |(path, bytes): &(String, u64)| vec![Some(format!("_load/{path}")), Some(bytes.to_string())];
    Answer {
        columns: vec![column("name"), column("size")],
        rows: files.iter().map(row).collect(),
        ..Answer::default()
    }
}

pub(super) fn refused() -> Error {
    Error::transient("the server is away")
}
