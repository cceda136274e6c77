//! The task that drives a session, and the session's end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::ChannelBinding;
use tokio_postgres::{CancelToken, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

use super::binding::{Bind, Bound};
use super::settings::Settings;
use super::socket::{Endpoint, Line};
use super::watch::{self, Peer};
use super::wire::{Handle, Wire};

/// What a line is opened with: a session's, and that of a cancel request.
pub(super) struct Way {
    pub(super) settings: Settings,
    pub(super) encrypt: Option<MakeRustlsConnect>,
    /// The drivers of sessions that are open, or are about to say goodbye.
    pub(super) drivers: TaskTracker,
}

/// Drives a session until its client is dropped. An idle one then says goodbye. Where the server is
/// still at work, the line is closed at once and the work cancelled: the server looks at the line
/// only when it has something to send, and could go on for hours.
pub(super) struct Driver {
    pub(super) way: Arc<Way>,
    pub(super) endpoint: Endpoint,
    pub(super) host: String,
    pub(super) token: CancelToken,
    pub(super) wire: Handle,
    /// What a session of the same role logs in with.
    pub(super) login: Config,
    /// Whom the session is with, once that is known.
    pub(super) peer: Arc<OnceLock<Peer>>,
}

/// How long an idle session may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(20);
/// How long a cancel request may take.
const CANCEL: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) async fn run(self, connection: Connection<Wire, Bound<Wire>>, gone: oneshot::Receiver<()>) {
        let mut connection = Box::pin(connection);
        let ended = tokio::select! {
            biased;
            ended = &mut connection => Some(ended),
            _ = gone => timeout(GOODBYE, &mut connection).await.ok(),
            () = watch::until_dead(&self) => {
                self.wire.give_up();
                // The error of a line that is closed.
                Some((&mut connection).await)
            }
        };
        if let Some(Err(error)) = &ended {
            // Whoever waits for an answer gets this too.
            tracing::debug!(server = %self.host, code = ?error.code().map(SqlState::code), "a session broke");
        }
        drop(connection);
        self.wire.close();
        if ended.is_none() || self.wire.is_abandoned() {
            self.cancel().await;
        }
    }

    async fn cancel(&self) {
        let Way { settings, encrypt, .. } = &*self.way;
        let cancelled = timeout(CANCEL, async {
            let line = Line::open("could not cancel", &self.endpoint, &self.host, settings, encrypt.as_ref());
            let stream = line.await?.stream;
            let sent = self.token.cancel_query_raw(stream, Bind(ChannelBinding::none())).await;
            sent.map_err(|error| crate::source::postgres::error::failed("could not cancel", &error))
        });
        if let Ok(Err(error)) = cancelled.await {
            tracing::debug!(server = %self.host, %error, "the server may still be at work for a closed session");
        }
    }
}
