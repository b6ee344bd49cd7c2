//! A panic in one request is that request's 500, and nobody else's affair.
//!
//! Without this it would end the connection's task: over HTTP/2 that of every request beside it, and
//! over HTTP/1.1 the client would see a reset and not know whose fault it was. The panic itself is
//! reported where it happens (`observe/panic.rs`). Once an answer has become a stream its status is
//! gone, and a panic there ends the connection.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Response;

use super::Fault;

/// An answer on its way.
pub(super) type Answering =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// An answer on its way, or 500 if what makes it panics. Polled once more after its end, it waits for
/// ever.
pub struct Caught(State);

enum State {
    Answering(Answering),
    Panicked,
    Over,
}

impl Caught {
    /// What `begin` makes; beginning may panic, too.
    ///
    /// Unwinding is safe here: what a request shares with others is behind locks that are not
    /// poisoned and are held for steps that leave them whole, and what is its own is dropped.
    pub(super) fn of(begin: impl FnOnce() -> Answering) -> Self {
        let begun = catch_unwind(AssertUnwindSafe(begin));
        Self(begun.map_or(State::Panicked, State::Answering))
    }
}

impl fmt::Debug for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Answering(_) => "Caught(answering)",
            State::Panicked => "Caught(panicked)",
            State::Over => "Caught(over)",
        })
    }
}

impl Future for Caught {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Answering(answering) = &mut self.0 {
            let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx)));
            match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(ready) => {
                    self.0 = State::Over;
                    return ready;
                }
                Err(_told) => {
                    let State::Answering(broken) = std::mem::replace(&mut self.0, State::Panicked)
                    else {
                        return Poll::Pending;
                    };
                    // What broke once may break again while it is taken apart.
                    let _again = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                }
            }
        }
        match std::mem::replace(&mut self.0, State::Over) {
            State::Panicked => Poll::Ready(Ok(Fault::Panicked.into_response(None))),
            State::Answering(_) | State::Over => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::oneshot;

    use super::*;

    fn bug() -> Response<Body> {
        panic!("a bug, and hunter2")
    }

    async fn check(caught: Caught) {
        let response = caught.await.unwrap();
        assert_eq!(response.status(), 500);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains("-32603") && !body.contains("hunter2"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_whenever_it_comes() {
        check(Caught::of(|| {
            let broken = bug();
            Box::pin(std::future::ready(Ok(broken)))
        }))
        .await;
        check(Caught::of(|| Box::pin(async { Ok(bug()) }))).await;
        let (go, gone) = oneshot::channel();
        let late = Caught::of(|| {
            Box::pin(async {
                gone.await.unwrap();
                Ok(bug())
            })
        });
        let late = tokio::spawn(check(late));
        go.send(()).unwrap();
        late.await.unwrap();
    }

    #[tokio::test]
    async fn what_breaks_again_while_it_is_taken_apart_is_one_answer_too() {
        struct Twice;

        impl Drop for Twice {
            fn drop(&mut self) {
                if !std::thread::panicking() {
                    let _response = bug();
                }
            }
        }

        struct Held(Option<Twice>);

        impl Future for Held {
            type Output = Result<Response<Body>, Infallible>;

            fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                assert!(self.0.is_some(), "it is dropped by whoever polls");
                Poll::Ready(Ok(bug()))
            }
        }

        check(Caught::of(|| Box::pin(Held(Some(Twice))))).await;
    }
}
