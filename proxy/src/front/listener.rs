//! The sockets: where clients reach us, and how their connections end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::router::{Doorway, Entrance};
use super::tls::Tls;
use crate::config::Listen;
use crate::guard::forwarded::Peer;

/// How long a client may take to send its headers. Bare `axum::serve` has no such limit, and a
/// client that sends one byte a minute would hold a connection for ever.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections the kernel may keep for us before we take them.
const BACKLOG: i32 = 1024;

/// How long a client may leave what was sent to it unread, or unacknowledged, before its connection
/// is cut. A response is only asked for more when the socket takes some, so nothing above the
/// socket would notice. A stream that is cut can be resumed.
const STALLED: Duration = Duration::from_secs(60);

/// What is left to connections after the last response: enough to be read by their clients.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// How long a client may take over a TLS handshake: a few round trips of the slowest line.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

type Builder = auto::Builder<TokioExecutor>;

/// How connections are taken.
#[derive(Debug)]
pub struct Connections {
    /// How many at once. Further ones are not refused: they wait in the kernel's queue until one
    /// ends, and are not answered where that queue is full.
    pub max: usize,
    /// The certificate; `None` for plain HTTP.
    pub tls: Option<Arc<Tls>>,
}

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Why the proxy cannot listen where it was told to.
#[derive(Debug, thiserror::Error)]
#[error("listen on {host} port {port}: {source}; choose another with --host and --port")]
pub struct BindError {
    host: String,
    port: u16,
    source: io::Error,
}

impl Listener {
    /// Binds the configured address. `::` takes IPv4 as well.
    ///
    /// # Errors
    ///
    /// The name does not resolve, the port is taken, or the address is not this machine's.
    pub async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let fail = |source| BindError {
            host: listen.host.clone(),
            port: listen.port,
            source,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in lookup_host((listen.host.as_str(), listen.port))
            .await
            .map_err(fail)?
        {
            match bind(address).and_then(|socket| {
                let address = socket.local_addr()?;
                Ok(Self { socket, address })
            }) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(fail(last))
    }

    /// Where it listens, with the port the system chose.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `stop` turns true; then takes no more, lets every
    /// response end and closes. Streams have to be ended by whoever owns them.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the listener at once; connections end with the runtime.
    pub async fn serve(
        self,
        app: Entrance,
        connections: Connections,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        builder.http2().timer(TokioTimer::new());
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(connections.max.min(Semaphore::MAX_PERMITS)));
        loop {
            let stream = tokio::select! {
                stream = accept(&self.socket, &room) => stream,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Some((stream, address, place)) = stream else {
                continue;
            };
            let app = app.met_by(Peer {
                address: address.ip(),
                is_secure: connections.tls.is_some(),
            });
            // That of this moment, so that a new certificate serves the next connection.
            let tls = connections
                .tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(tls.now()));
            let (builder, watcher) = (builder.clone(), graceful.watcher());
            tokio::spawn(async move {
                match tls {
                    None => plain(stream, builder, app, watcher).await,
                    Some(tls) => secure(stream, tls, builder, app, watcher).await,
                }
                drop(place);
            });
        }
        drop(self.socket);
        let _late = tokio::time::timeout(CLOSE_WAIT, graceful.shutdown()).await;
    }
}

/// Serves a connection without TLS.
async fn plain(stream: TcpStream, builder: Builder, app: Doorway, watcher: Watcher) {
    // The header timer begins to run when it is known which HTTP this is, which the first bytes
    // tell. A client that sends none would have a place for ever.
    let mut byte = [0];
    let first = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut byte));
    if matches!(first.await, Ok(Ok(1..))) {
        converse(stream, builder, app, watcher).await;
    }
}

/// Serves a connection with TLS.
async fn secure(
    stream: TcpStream,
    tls: TlsAcceptor,
    builder: Builder,
    app: Doorway,
    watcher: Watcher,
) {
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        // A client that does not know the certificate, or speaks plain HTTP.
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake was not finished in time"),
    };
    // As above; nothing can be peeked at below TLS.
    let mut stream = BufReader::new(stream);
    let first = tokio::time::timeout(HEADER_TIMEOUT, stream.fill_buf());
    let said_something = matches!(first.await, Ok(Ok(bytes)) if !bytes.is_empty());
    if said_something {
        converse(stream, builder, app, watcher).await;
    }
}

async fn converse<S>(stream: S, builder: Builder, app: Doorway, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = builder.serve_connection(TokioIo::new(stream), app);
    let connection = watcher.watch(connection.into_owned());
    // A connection that breaks is its client's affair; what it carried has its own end.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn accept(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, address)) => {
            // Events are small and each is worth sending at once.
            let _best_effort = stream.set_nodelay(true);
            let _best_effort = SockRef::from(&stream).set_tcp_user_timeout(Some(STALLED));
            Some((stream, address, place))
        }
        Err(error) => {
            // Out of descriptors, most likely: accepting again at once would only spin.
            tracing::warn!(%error, "could not take a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
