//! Which era a server speaks is found out by the first request of each (rule 5).

use serde_json::json;

use super::super::proxy::{Proxy, toy_path};
use super::super::session::{LATEST, Session};
use super::{said, tool};

/// Without processes that only wait, so that they can be counted.
const COLD: [&str; 2] = ["--warm-children", "0"];

#[tokio::test]
async fn a_server_without_discover_is_one_of_the_session_eras_however_it_says_so() {
    for answer in ["-32601", "-32602", "exit", "banner"] {
        let proxy = Proxy::start(&COLD, &["--on-discover", answer]).await;
        // It was spoilt by the question for some, so it is another process that answers.
        assert_eq!(said(&proxy, "count", json!({})).await, "1", "{answer}");
        let session = Session::open(&proxy.client(), LATEST).await;
        assert_eq!(session.call("count", json!({})).await, "1", "{answer}");
        // Nothing is asked again.
        assert_eq!(said(&proxy, "count", json!({})).await, "2", "{answer}");
        assert_eq!(super::pids(&proxy).await.len(), 2, "{answer}");
        assert_eq!(
            proxy.client().get("/health/ready").await.status,
            200,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_silent_server_is_told_from_a_slow_one_by_asking_another_in_the_old_way() {
    let asked = async |answer| {
        let proxy = Proxy::start(&[], &["--on-discover", answer]).await;
        assert_eq!(said(&proxy, "count", json!({})).await, "1", "{answer}");
    };
    tokio::join!(asked("silent"), asked("garbage"));
}

#[tokio::test]
async fn a_slow_server_of_2026_07_28_is_waited_for() {
    let toy = ["--era", "modern", "--start-delay", "5600"];
    let proxy = Proxy::start(&[], &toy).await;
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
}

#[tokio::test]
async fn a_server_that_cannot_start_is_not_taken_for_an_old_one() {
    let proxy = Proxy::start(&[], &["--exit-at-start", "4"]).await;
    let reply = tool(&proxy, 1, "count", json!({})).await;
    assert!(reply.header("retry-after").is_some());
    let error = reply.refused(503).await;
    assert!(
        error["message"].as_str().unwrap().contains("status 4"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_configuration_says_is_not_asked() {
    let flags = ["--child-era", "legacy", "--warm-children", "0"];
    let proxy = Proxy::start(&flags, &["--era", "dual", "--locks-on-discover"]).await;
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    assert_eq!(
        proxy.client().status().await["children"][0]["era"],
        "legacy"
    );
    assert_eq!(proxy.client().status().await["starts"], 1);
}

#[tokio::test]
async fn a_legacy_client_costs_one_process() {
    let proxy = Proxy::start(&[], &["--era", "dual", "--locks-on-discover"]).await;
    let session = Session::open(&proxy.client(), LATEST).await;
    session.call("count", json!({})).await;
    assert_eq!(super::pids(&proxy).await.len(), 1);
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    assert_eq!(super::pids(&proxy).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_failed_to_start_once_is_not_forgotten_to_speak_2026_07_28() {
    let folder = std::env::temp_dir().join(format!("mcp-eras-once-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let flag = folder.join("fail");
    let script = format!(
        "if [ -e {flag} ]; then rm {flag}; exit 3; fi; exec {toy} --era dual",
        flag = flag.display(),
        toy = toy_path(),
    );
    let line = ["--port", "0", "--", "sh", "-c", &script];
    let proxy = Proxy::typed(&[], &line).await;
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    std::fs::write(&flag, "").unwrap();
    tool(&proxy, 1, "crash", json!({})).await.json().await;
    let refused = tool(&proxy, 2, "count", json!({})).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.refused(503).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn what_was_found_out_is_known_to_the_next_proxy() {
    let folder = std::env::temp_dir().join(format!("mcp-eras-kept-{}", std::process::id()));
    let flags = ["--cache-dir", folder.to_str().unwrap(), COLD[0], COLD[1]];
    let toy = ["--on-discover", "-32601"];
    for starts in [2, 1] {
        let proxy = Proxy::start(&flags, &toy).await;
        assert_eq!(said(&proxy, "count", json!({})).await, "1");
        let status = proxy.client().status().await;
        assert_eq!(
            status["starts"], starts,
            "nothing is started to find out twice"
        );
    }
    // Other arguments are another server.
    let other = Proxy::start(&flags, &["--era", "modern"]).await;
    assert_eq!(said(&other, "count", json!({})).await, "1");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn impatient_clients_do_not_keep_a_slow_server_from_starting() {
    let toy = ["--era", "modern", "--start-delay", "800"];
    let proxy = Proxy::start(&[], &toy).await;
    for _ in 0..4 {
        let left = tokio::time::timeout(
            std::time::Duration::from_millis(150),
            tool(&proxy, 1, "count", json!({})),
        );
        assert!(left.await.is_err());
    }
    assert_eq!(said(&proxy, "count", json!({})).await, "1");
    assert_eq!(super::pids(&proxy).await.len(), 1, "it was started once");
}
