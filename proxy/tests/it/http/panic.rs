//! A bug met by one request, in this process, because the program offers nobody a way to one: the
//! body of that request panics when it is read.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Body, Frame},
    service::Service as _,
};
use mcp_proxy::{
    assemble,
    config::Config,
    front::{connection::Begun, router::Doorway},
    guard::forwarded::Peer,
    observe::{metrics, panic},
};

use super::{
    proxy::toy_path,
    session::{LATEST, initialize},
};

struct Bug;

impl Body for Bug {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        panic!("met {}", "hunter2");
    }
}

async fn post<B>(doorway: &Doorway, body: B) -> (u16, String)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let request = Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let response: Response<_> = doorway.call(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_bug_met_by_one_request_is_its_500_and_others_are_served() {
    metrics::install().unwrap();
    panic::report();
    let line = ["mcp-proxy", "--", &toy_path()].map(Into::into).to_vec();
    let config = Config::read(line, &BTreeMap::new()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = assemble::proxy(&config, address, None, None, None, None);
    let peer = Peer {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_secure: false,
    };
    let doorway = proxy.app.met_by(peer, Begun::default());
    let (status, body) = post(&doorway, Bug).await;
    assert_eq!(status, 500);
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["error"]["code"], -32603);
    assert!(!body.contains("hunter2"), "{body}");

    let (status, body) = post(&doorway, Full::from(initialize(LATEST))).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("mcp-toy"), "{body}");
    let page = metrics::render().unwrap();
    assert!(page.contains("\nmcp_proxy_panics_total 1\n"), "{page}");
    proxy.drain().await;
}
