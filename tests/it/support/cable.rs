//! A TCP line to a server that can be cut, go silent, be slow or refuse: it knows nothing of what it
//! carries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How a connection ends, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// At once, with a reset.
    Reset,
    /// In good order, though in the middle of something.
    Close,
    /// It stays open and nothing passes any more, in either direction.
    Silence,
    /// It stays open, and one bit arrives as another than it was sent.
    Flip,
}

/// The side that bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A line that stays until the tests end.
pub(crate) struct Cable {
    host: &'static str,
    port: u16,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Connections made so far.
    made: u64,
    /// What has become of those with a smaller number.
    broken: Option<(u64, Break)>,
    /// What becomes of new ones.
    entry: Option<Break>,
    /// Breaks connections that have carried so many bytes, as often as said.
    limit: Option<Limit>,
    /// Bytes that pass at once, and the pause before.
    pace: Option<(usize, Duration)>,
}

#[derive(Debug, Clone)]
struct Limit {
    from: Side,
    bytes: usize,
    left: Arc<AtomicU32>,
    how: Break,
}

impl Cable {
    /// A line to `server`: an address with its port.
    pub(crate) fn to(server: &str) -> Self {
        Self::from("127.0.0.1", server).expect("some port is free")
    }

    /// The same, on that address of this machine, which it may not have.
    pub(crate) fn from(host: &'static str, server: &str) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(format!("{host}:0"))?;
        listener.set_nonblocking(true).expect("it is a socket");
        let port = listener.local_addr().expect("it listens").port();
        let state = Arc::new(watch::Sender::new(State::default()));
        let (server, shared) = (server.to_owned(), Arc::clone(&state));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs only files").block_on(listen(listener, server, shared));
        });
        Ok(Self { host, port, state })
    }

    /// `url` with the address of this line in the place of the server's.
    pub(crate) fn instead_of(&self, server: &str, url: &str) -> String {
        assert!(url.contains(server), "{server} is not in the address");
        url.replace(server, &self.address())
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Breaks all connections that are open.
    pub(crate) fn break_open(&self, how: Break) {
        self.state.send_modify(|state| state.broken = Some((state.made, how)));
    }

    /// Breaks connections as soon as they are made.
    pub(crate) fn break_new(&self, how: Break) {
        self.state.send_modify(|state| state.entry = Some(how));
    }

    /// Breaks the next `times` connections that have carried so many bytes from one side.
    pub(crate) fn break_after(&self, bytes: usize, from: Side, times: u32, how: Break) {
        let left = Arc::new(AtomicU32::new(times));
        self.state.send_modify(|state| state.limit = Some(Limit { from, bytes, left, how }));
    }

    /// How many connections are still to be broken by [`break_after`](Self::break_after).
    pub(crate) fn left(&self) -> u32 {
        self.state.borrow().limit.as_ref().map_or(0, |limit| limit.left.load(Ordering::SeqCst))
    }

    /// Lets no more than `bytes` pass at once, and waits before each time.
    pub(crate) fn slow(&self, bytes: usize, pause: Duration) {
        self.state.send_modify(|state| state.pace = Some((bytes, pause)));
    }

    /// New connections, and those that are not broken, are whole again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| (state.entry, state.limit, state.pace) = (None, None, None));
    }
}

async fn listen(listener: std::net::TcpListener, server: String, state: Arc<watch::Sender<State>>) {
    let listener = TcpListener::from_std(listener).expect("it is a socket");
    while let Ok((client, _)) = listener.accept().await {
        let (mut number, mut entry) = (0, None);
        state.send_modify(|state| {
            number = state.made;
            state.made += 1;
            entry = state.entry;
        });
        let line = Line { number, state: state.subscribe() };
        let server = server.clone();
        tokio::spawn(async move {
            let Ok(upstream) = TcpStream::connect(server).await else { return };
            let how = match entry {
                Some(how) => how,
                None => line.carry(&client, &upstream).await,
            };
            match how {
                Break::Reset => {
                    for end in [&client, &upstream] {
                        let _ = SockRef::from(end).set_linger(Some(Duration::ZERO));
                    }
                }
                Break::Close | Break::Flip => {}
                // Held open until the tests end.
                Break::Silence => std::future::pending().await,
            }
        });
    }
}

struct Line {
    number: u64,
    state: watch::Receiver<State>,
}

impl Line {
    /// Carries bytes both ways until the connection is to be broken.
    async fn carry(&self, client: &TcpStream, upstream: &TcpStream) -> Break {
        let mut state = self.state.clone();
        let broken = async {
            let is_broken = |state: &State| state.broken.is_some_and(|(before, _)| self.number < before);
            let found = state.wait_for(is_broken).await.ok().and_then(|state| state.broken);
            found.map_or(Break::Close, |(_, how)| how)
        };
        tokio::select! {
            biased;
            how = broken => how,
            how = self.pump(client, upstream, Side::Client) => how,
            how = self.pump(upstream, client, Side::Server) => how,
        }
    }

    async fn pump(&self, from: &TcpStream, to: &TcpStream, side: Side) -> Break {
        let mut carried = 0;
        let mut block = vec![0; 16 << 10];
        loop {
            let length = match read(from, &mut block).await {
                Ok(0) | Err(_) => return Break::Close,
                Ok(bytes) => bytes,
            };
            let (limit, pace) = {
                let state = self.state.borrow();
                (state.limit.clone().filter(|limit| limit.from == side), state.pace)
            };
            let reached = limit.filter(|limit| carried + length >= limit.bytes);
            let allowed = reached.filter(|limit| {
                let take = |left: u32| left.checked_sub(1);
                limit.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
            });
            let part = match &allowed {
                Some(limit) if limit.how == Break::Flip => {
                    block[limit.bytes.saturating_sub(carried).min(length - 1)] ^= 1;
                    &block[..length]
                }
                Some(limit) => &block[..limit.bytes.saturating_sub(carried).min(length)],
                None => &block[..length],
            };
            carried += length;
            let (step, pause) = pace.unwrap_or((length, Duration::ZERO));
            for bytes in part.chunks(step.max(1)) {
                tokio::time::sleep(pause).await;
                if write_all(to, bytes).await.is_err() {
                    return Break::Close;
                }
            }
            if let Some(limit) = allowed.filter(|limit| limit.how != Break::Flip) {
                return limit.how;
            }
        }
    }
}

async fn read(stream: &TcpStream, block: &mut [u8]) -> std::io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(block) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
