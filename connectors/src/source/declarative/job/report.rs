//! The records of one report, page after page.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::Jobs;
use super::order::{Made, with};
use crate::source::declarative::page::{Page, Paginator, Repeats};
use crate::source::declarative::record::{Records, Variables};
use crate::source::declarative::request::{Call, Outcome};
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

/// The records of one report.
pub struct Report {
    jobs: Arc<Jobs>,
    slice: Arc<StreamSlice>,
    stage: Stage,
}

enum Stage {
    /// Nothing was ordered yet.
    Begun,
    Made {
        made: Box<Made>,
        targets: VecDeque<Value>,
        download: Option<Box<Download>>,
    },
    Over {
        skipped: bool,
    },
}

/// What is being downloaded.
struct Download {
    slice: StreamSlice,
    token: Option<Value>,
    repeats: Repeats,
}

impl Report {
    pub(super) fn new(jobs: Arc<Jobs>, slice: Arc<StreamSlice>) -> Self {
        Self { jobs, slice, stage: Stage::Begun }
    }

    /// Has it made. `turn` is kept until that is done, but not for the download.
    pub async fn order(&mut self, turn: OwnedSemaphorePermit) -> Result<()> {
        self.stage = match self.jobs.order(&self.slice, turn).await? {
            Some(made) => {
                let targets = self.jobs.to_download(&made).await?.into();
                Stage::Made { made, targets, download: None }
            }
            None => Stage::Over { skipped: true },
        };
        Ok(())
    }

    /// Whether there was no report to be had: then the slice counts as not read.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        matches!(self.stage, Stage::Over { skipped: true })
    }

    /// The records of the next page as they were extracted; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Records>> {
        loop {
            match &mut self.stage {
                Stage::Over { .. } => return Ok(None),
                Stage::Begun => {
                    let turn = self.jobs.turn().await?;
                    self.order(turn).await?;
                }
                Stage::Made { made, targets, download } => {
                    if let Some(current) = download {
                        let (records, goes_on) = current.page(&self.jobs).await?;
                        if !goes_on {
                            *download = None;
                        }
                        return Ok(Some(records));
                    }
                    if let Some(target) = targets.pop_front() {
                        let slice = with(
                            &self.slice,
                            &[
                                ("download_target", &target),
                                ("creation_response", &made.creation),
                                ("polling_response", &made.polling),
                            ],
                        );
                        let token = self.jobs.paginator.first();
                        *download = Some(Box::new(Download { slice, token, repeats: Repeats::default() }));
                    } else {
                        self.jobs.dismiss(&self.slice, made).await;
                        self.stage = Stage::Over { skipped: false };
                    }
                }
            }
        }
    }
}

impl Download {
    /// The records of one page, and whether another one follows.
    async fn page(&mut self, jobs: &Jobs) -> Result<(Records, bool)> {
        let token = self.token.as_ref();
        let parts = jobs.paginator.parts(token, None)?;
        let path = jobs.paginator.path(token);
        let call = Call { slice: Some(&self.slice), token, path: path.as_deref(), parts };
        let answer = match jobs.download.send(call).await? {
            Outcome::Answer(answer) | Outcome::Ignored(Some(answer)) if answer.status < 400 => answer,
            Outcome::Answer(_) | Outcome::Ignored(_) => return Ok((Records::from_values(Vec::new()), false)),
            _ => return Err(Error::config("an error handler of a download asks for other pages or windows")),
        };
        let bodies = jobs.selector.decode(&answer)?;
        let seen = Paginator::variable(token);
        let mut variables =
            Variables { slice: Some(&self.slice), next_page_token: Some(&seen), ..Variables::default() };
        let selected = jobs.selector.select(&bodies, &mut variables)?;
        let records = selected.records;
        let page = Page {
            response: &|apart| if apart { jobs.selector.rest(&bodies) } else { bodies.first() },
            headers: &answer.headers,
            last_record: &|| records.last(),
            kept: records.len(),
            extracted: selected.extracted,
            token,
            size: None,
            slice: &self.slice,
        };
        let next = jobs.paginator.next(&page)?;
        if let Some(next) = &next {
            self.repeats.note(&page, &answer.body, next)?;
        }
        let goes_on = next.is_some();
        self.token = next;
        Ok((records, goes_on))
    }
}
