//! A client's connection below HTTP: what the HTTP library does not look at.
//!
//! * Its header timer runs from the first byte of a known HTTP on. A client that sends nothing, or
//!   half of what would tell which HTTP it speaks, or the beginning of HTTP/2 and no request, would
//!   have a place for ever. So reading fails when no request has come within the limit.
//! * While it waits for an answer it reads on to see whether the client leaves, but not when it has
//!   read bytes of a next request already. [`Leaving`] looks at the socket then.
//! * What it has taken to write, and the socket does not, is memory of ours. Such a connection is
//!   one of those that are cut when all together hold too much.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::budget::{self, GRAIN, Greedy};
use crate::observe::metrics;

/// How often a connection whose client may have left unseen is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The connection as HTTP or TLS is spoken over it.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Ends reading, unless a request comes before.
    opening: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Shared {
    /// Locked for a moment by the one task of the connection; nobody ever waits for it.
    stream: Mutex<TcpStream>,
    /// A request has come.
    begun: Arc<AtomicBool>,
    /// What was read last was something, and nobody has asked for more since.
    satisfied: AtomicBool,
    stuck: AtomicUsize,
    /// The budget of all knows of this connection.
    enlisted: AtomicBool,
    cut: AtomicBool,
    writer: Mutex<Option<Waker>>,
}

/// Says that a request has come.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    /// It has.
    pub(super) fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// This connection; reading fails if no request has come within `limit`.
    pub(super) fn new(stream: TcpStream, limit: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                stream: Mutex::new(stream),
                begun: Arc::default(),
                satisfied: AtomicBool::new(false),
                stuck: AtomicUsize::new(0),
                enlisted: AtomicBool::new(false),
                cut: AtomicBool::new(false),
                writer: Mutex::default(),
            }),
            opening: Some(Box::pin(sleep(limit))),
        }
    }

    /// For whoever sees requests.
    pub(super) fn begun(&self) -> Begun {
        Begun(Arc::clone(&self.shared.begun))
    }

    /// For whoever drives the connection.
    pub(super) fn leaving(&self) -> Leaving {
        Leaving {
            shared: Arc::clone(&self.shared),
            look: None,
        }
    }

    /// What is to be written is offered to the socket, and what it does not take is counted.
    fn offer(
        &self,
        cx: &mut Context<'_>,
        offered: usize,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let shared = &self.shared;
        if shared.cut.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = write(Pin::new(&mut shared.stream.lock()), cx);
        if written.is_pending() && offered >= GRAIN {
            *shared.writer.lock() = Some(cx.waker().clone());
            shared.stuck.store(offered, Ordering::Relaxed);
            if !shared.enlisted.swap(true, Ordering::Relaxed) {
                let weak: std::sync::Weak<Shared> = Arc::downgrade(shared);
                budget::PROCESS.enlist(weak);
            }
        } else if shared.stuck.load(Ordering::Relaxed) != 0 {
            shared.stuck.store(0, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let begun = self.shared.begun.load(Ordering::Relaxed);
        if let Some(opening) = &mut self.opening {
            if begun {
                self.opening = None;
            } else if opening.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let read = Pin::new(&mut *self.shared.stream.lock()).poll_read(cx, buf);
        self.shared
            .satisfied
            .store(read.is_ready(), Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.offer(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        self.offer(cx, offered, |stream, cx| {
            stream.poll_write_vectored(cx, bufs)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.stream.lock()).poll_shutdown(cx)
    }
}

impl Greedy for Shared {
    fn holds(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Writing fails from now on, so that the connection ends and lets go of what it holds.
    fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.stuck.store(0, Ordering::Relaxed);
        metrics::budget("memory");
        if let Some(writer) = self.writer.lock().take() {
            writer.wake();
        }
    }
}

/// Resolves when the client has left and nobody else would notice. To be polled by the task of the
/// connection, after the connection.
#[derive(Debug)]
pub(super) struct Leaving {
    shared: Arc<Shared>,
    look: Option<Pin<Box<Sleep>>>,
}

impl Future for Leaving {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // Whoever reads sees the end itself.
        if !this.shared.satisfied.load(Ordering::Relaxed) {
            this.look = None;
            return Poll::Pending;
        }
        let look = this.look.get_or_insert_with(|| Box::pin(sleep(LOOK_AGAIN)));
        while look.as_mut().poll(cx).is_ready() {
            if has_left(&this.shared.stream.lock()) {
                return Poll::Ready(());
            }
            look.set(sleep(LOOK_AGAIN));
        }
        Poll::Pending
    }
}

/// Whether the other side has closed, whatever waits to be read before that.
fn has_left(stream: &TcpStream) -> bool {
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    let mut look = [PollFd::new(stream, gone)];
    let found = poll(&mut look, Some(&Timespec::default()));
    let [look] = look;
    found.is_ok_and(|found| found > 0) && look.revents().intersects(gone)
}
