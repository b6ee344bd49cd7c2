//! Every client to every server: one script, told by clients of each era over each transport to servers of each era,
//! and one table of what they see.
//!
//! `table` has the rows, with the differences that are meant; `script` is what is done; a speaker (`stateless`,
//! `session`, `sse`, `pipe`) says it in the words of its era. A row that is pending must fail: who makes it pass takes it off
//! the list in `pending`.

mod callers;
mod pending;
mod pipe;
mod script;
mod session;
mod speaker;
mod sse;
mod stateless;
mod table;

use speaker::Client;
use table::{Server, compose};

#[tokio::test]
async fn a_stateless_client_and_a_server_of_its_era() {
    compose(Client::Stateless, Server::Modern).await;
}

#[tokio::test]
async fn a_stateless_client_and_a_server_of_the_legacy_era() {
    compose(Client::Stateless, Server::Legacy).await;
}

#[tokio::test]
async fn a_stateless_client_and_a_server_of_both_eras() {
    compose(Client::Stateless, Server::Dual).await;
}

#[tokio::test]
async fn a_session_and_a_server_of_its_era() {
    compose(Client::Session, Server::Legacy).await;
}

#[tokio::test]
async fn a_session_and_a_server_of_the_modern_era() {
    compose(Client::Session, Server::Modern).await;
}

#[tokio::test]
async fn a_session_and_a_server_of_both_eras() {
    compose(Client::Session, Server::Dual).await;
}

#[tokio::test]
async fn http_sse_and_a_server_of_its_era() {
    compose(Client::HttpSse, Server::Legacy).await;
}

#[tokio::test]
async fn http_sse_and_a_server_of_the_modern_era() {
    compose(Client::HttpSse, Server::Modern).await;
}

#[tokio::test]
async fn http_sse_and_a_server_of_both_eras() {
    compose(Client::HttpSse, Server::Dual).await;
}

#[tokio::test]
async fn a_stateless_client_at_a_pipe_and_a_server_of_the_legacy_era() {
    compose(Client::StatelessPipe, Server::Legacy).await;
}

#[tokio::test]
async fn a_stateless_client_at_a_pipe_and_a_server_of_the_modern_era() {
    compose(Client::StatelessPipe, Server::Modern).await;
}

#[tokio::test]
async fn a_stateless_client_at_a_pipe_and_a_server_of_both_eras() {
    compose(Client::StatelessPipe, Server::Dual).await;
}

#[tokio::test]
async fn a_session_at_a_pipe_and_a_server_of_the_legacy_era() {
    compose(Client::SessionPipe, Server::Legacy).await;
}

#[tokio::test]
async fn a_session_at_a_pipe_and_a_server_of_the_modern_era() {
    compose(Client::SessionPipe, Server::Modern).await;
}

#[tokio::test]
async fn a_session_at_a_pipe_and_a_server_of_both_eras() {
    compose(Client::SessionPipe, Server::Dual).await;
}
