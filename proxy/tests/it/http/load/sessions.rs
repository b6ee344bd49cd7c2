//! Sessions that nobody ends.

use std::fs;

use super::super::proxy::Proxy;
use super::super::session::{LATEST, initialize};
use super::{MIB, Memory};

const SESSIONS: usize = 10_000;
const AT_ONCE: usize = 100;
const MAX_SESSIONS: usize = 1_000;
const MAX_CHILDREN: usize = 64;

/// The least a server can be: it answers `initialize` under the id it finds, and reads to its end.
const CHEAP: &str = r#"read -r line; id=${line#*\"id\":}; id=${id%%,*}; echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"cheap\",\"version\":\"1\"}}}"; while read -r line; do :; done"#;

/// The processes whose parent is this one.
fn children(parent: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sessions_nobody_deletes_keep_children_memory_and_descriptors_bounded() {
    let (sessions, children_cap) = (MAX_SESSIONS.to_string(), MAX_CHILDREN.to_string());
    let line = [
        "--port",
        "0",
        "--yield-after",
        "100ms",
        "--close-wait",
        "100ms",
        "--max-sessions",
        &sessions,
        "--max-children",
        &children_cap,
        "--",
        "/bin/sh",
        "-c",
        CHEAP,
    ];
    let proxy = Proxy::typed(&[], &line).await;
    assert_eq!(proxy.client().post(initialize(LATEST)).await.status, 200);
    let memory = Memory::of(&proxy);
    let (mut most, mut begun) = (0, 1);
    while begun < SESSIONS {
        let opening: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let client = proxy.client();
                tokio::spawn(async move {
                    // Where every place is taken by a session that is not old enough, it comes back.
                    loop {
                        match client.post(initialize(LATEST)).await.status {
                            200 => break,
                            503 => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                            status => panic!("{status}"),
                        }
                    }
                })
            })
            .collect();
        for one in opening {
            one.await.unwrap();
            begun += 1;
        }
        most = most.max(children(proxy.pid));
    }
    // The guardian is one of them.
    assert!(most <= MAX_CHILDREN + 1, "{most} processes");
    let status = proxy.client().status().await;
    assert_eq!(status["sessions"], MAX_SESSIONS);
    let open = fs::read_dir(format!("/proc/{}/fd", proxy.pid))
        .unwrap()
        .count();
    assert!(open < 4 * MAX_CHILDREN + 100, "{open} descriptors");
    memory.has_grown_at_most(16 * MIB);
}
