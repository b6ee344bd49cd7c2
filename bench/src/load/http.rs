//! Just enough HTTP/1.1 to call over one kept connection, and cheap enough to leave the core to
//! what is measured (RFC 9112).

use std::io;

use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for the next read.
const READ_BYTES: usize = 64 * 1024;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// `Mcp-Session-Id`, when there was one.
    pub(crate) session: Option<String>,
    pub(crate) events: bool,
    pub(crate) body: BytesMut,
}

/// How the end of a body is told (RFC 9112, section 6.3).
#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
        })
    }

    /// Sends a request that was written beforehand and reads the whole response.
    ///
    /// # Errors
    /// When the connection breaks, or the response is not HTTP as a server of ours writes it.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        self.stream.write_all(request).await?;
        let end = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill(READ_BYTES).await?;
        };
        let head = self.buffer.split_to(end);
        let (mut response, length) = read_head(&head).ok_or_else(|| wrong("head"))?;
        match length {
            Length::Known(length) => {
                while self.buffer.len() < length {
                    self.fill(length - self.buffer.len()).await?;
                }
                response.body = self.buffer.split_to(length);
            }
            Length::Chunked => while self.chunk(&mut response.body).await? {},
        }
        Ok(response)
    }

    /// One chunk; false for the last, which is empty (RFC 9112, section 7.1).
    async fn chunk(&mut self, body: &mut BytesMut) -> io::Result<bool> {
        let line = loop {
            if let Some(line) = memmem::find(&self.buffer, b"\r\n") {
                break line;
            }
            self.fill(READ_BYTES).await?;
        };
        let size = std::str::from_utf8(&self.buffer[..line]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| wrong("chunk"))?;
        self.buffer.advance(line + 2);
        while self.buffer.len() < size + 2 {
            self.fill(READ_BYTES).await?;
        }
        body.extend_from_slice(&self.buffer[..size]);
        self.buffer.advance(size + 2);
        Ok(size > 0)
    }

    async fn fill(&mut self, room: usize) -> io::Result<()> {
        self.buffer.reserve(room);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("the response's {what} is not readable"))
}

fn read_head(head: &[u8]) -> Option<(Response, Length)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response {
        status,
        session: None,
        events: false,
        body: BytesMut::new(),
    };
    let mut length = Length::Known(0);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Known(value.parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("content-type") {
            response.events = value.starts_with("text/event-stream");
        } else if name.eq_ignore_ascii_case("mcp-session-id") {
            response.session = Some(value.to_owned());
        }
    }
    Some((response, length))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of these bytes, sent in pieces of `step`.
    async fn check(text: &'static [u8], step: usize) -> Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in text.chunks(step) {
                stream.write_all(piece).await.unwrap();
            }
            stream
        });
        let mut connection = Connection::open(&authority).await.unwrap();
        let response = connection
            .exchange(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .unwrap();
        drop(server.await.unwrap());
        response
    }

    #[tokio::test]
    async fn a_body_with_a_length_is_read_however_it_comes() {
        let text = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: a\r\ncontent-length: 5\r\n\r\nhello";
        for step in [1, 7, text.len()] {
            let response = check(text, step).await;
            assert_eq!(response.status, 200);
            assert_eq!(response.session.as_deref(), Some("a"));
            assert_eq!(&response.body[..], b"hello");
        }
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nb\r\n everybody.\r\n0\r\n\r\n";
        for step in [1, 11, text.len()] {
            let response = check(text, step).await;
            assert!(response.events);
            assert_eq!(&response.body[..], b"hello everybody.");
        }
    }
}
