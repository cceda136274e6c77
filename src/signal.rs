//! SIGINT and SIGTERM: the first asks to stop, the second leaves at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use protocol::{Error, ErrorKind};

use crate::failure::Failure;

/// The signals of this process.
#[derive(Clone)]
pub(crate) struct Signals(watch::Receiver<Option<&'static str>>);

impl Signals {
    /// Takes over both signals. Called once, in the runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let open = |kind| {
            signal(kind).map_err(|error| Error::internal("signals can't be listened to").with_source(error))
        };
        let mut interrupt = open(SignalKind::interrupt())?;
        let mut terminate = open(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let first = next(&mut interrupt, &mut terminate).await;
            sender.send_replace(Some(first));
            next(&mut interrupt, &mut terminate).await;
            leave();
        });
        Ok(Self(receiver))
    }

    /// Waits for the first signal and returns its name.
    pub(crate) async fn first(&self) -> &'static str {
        let mut receiver = self.0.clone();
        let named = receiver.wait_for(Option::is_some).await.map(|name| *name);
        match named {
            Ok(Some(name)) => name,
            // The listener is gone together with the runtime.
            _ => std::future::pending().await,
        }
    }

    /// Runs `work` until it ends or a signal comes, which drops it: what is not committed is lost,
    /// and nothing else.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            result = work => result,
            name = self.first() => {
                Err(Error::new(ErrorKind::Interrupted, format!("stopped by {name}")).into())
            }
        }
    }

    /// Runs `work` to its end: a first signal is only answered.
    pub(crate) async fn after<T>(&self, work: impl Future<Output = T>) -> T {
        let answer = async {
            let name = self.first().await;
            tracing::warn!("{name}: finishing what has begun; signal again to leave at once");
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = work => result,
            () = answer => unreachable!("the answer waits for ever"),
        }
    }
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[expect(
    clippy::exit,
    reason = "a second signal means now: a commit that is cut short is rolled forward or never was"
)]
fn leave() -> ! {
    std::process::exit(ErrorKind::Interrupted.exit_code().into())
}
