//! The sockets: where clients reach us, and how their connections end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, Leaving};
use super::router::{Doorway, Entrance};
use super::tls::Tls;
use crate::config::Listen;
use crate::guard::forwarded::Peer;

/// Connections the kernel may keep for us before we take them.
const BACKLOG: i32 = 1024;

/// What is left to connections after the last response: enough to be read by their clients.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

type Builder = auto::Builder<TokioExecutor>;

/// How connections are taken.
#[derive(Debug)]
pub struct Connections {
    /// How many at once. Further ones are not refused: they wait in the kernel's queue until one
    /// ends, and are not answered where that queue is full.
    pub max: usize,
    /// The certificate; `None` for plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// How long a client may take to send its headers, its TLS handshake included. Bare `axum::serve`
    /// has no such limit, and a client that sends one byte a minute would hold a connection for ever.
    pub header: Duration,
    /// How long a client may leave what was sent to it unread, or unacknowledged, before its
    /// connection is cut. A response is only asked for more when the socket takes some, so nothing
    /// above the socket would notice. A stream that is cut can be resumed.
    pub unread: Duration,
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
            .header_read_timeout(connections.header);
        builder.http2().timer(TokioTimer::new());
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(connections.max.min(Semaphore::MAX_PERMITS)));
        loop {
            let stream = tokio::select! {
                stream = accept(&self.socket, &room, connections.unread) => stream,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Some((stream, address, place)) = stream else {
                continue;
            };
            let socket = Connection::new(stream, connections.header);
            let peer = Peer {
                address: address.ip(),
                is_secure: connections.tls.is_some(),
            };
            let app = app.met_by(peer, socket.begun());
            // That of this moment, so that a new certificate serves the next connection.
            let tls = connections
                .tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(tls.now()));
            let (builder, watcher) = (builder.clone(), graceful.watcher());
            tokio::spawn(async move {
                let leaving = socket.leaving();
                match tls {
                    None => converse(socket, leaving, builder, app, watcher).await,
                    Some(tls) => secure(socket, leaving, tls, builder, app, watcher).await,
                }
                drop(place);
            });
        }
        drop(self.socket);
        let _late = tokio::time::timeout(CLOSE_WAIT, graceful.shutdown()).await;
    }
}

/// Serves a connection with TLS.
async fn secure(
    socket: Connection,
    leaving: Leaving,
    tls: TlsAcceptor,
    builder: Builder,
    app: Doorway,
    watcher: Watcher,
) {
    match tls.accept(socket).await {
        Ok(stream) => converse(stream, leaving, builder, app, watcher).await,
        // A client that does not know the certificate, speaks plain HTTP, or took too long.
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn converse<S>(stream: S, leaving: Leaving, builder: Builder, app: Doorway, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = builder.serve_connection(TokioIo::new(stream), app);
    let connection = watcher.watch(connection.into_owned());
    tokio::select! {
        biased;
        // A connection that breaks is its client's affair; what it carried has its own end.
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = leaving => tracing::debug!("a client left with a request of its own unread"),
    }
}

async fn accept(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
    unread: Duration,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, address)) => {
            // Events are small and each is worth sending at once.
            let _best_effort = stream.set_nodelay(true);
            let _best_effort = SockRef::from(&stream).set_tcp_user_timeout(Some(unread));
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
