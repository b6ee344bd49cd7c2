//! `/config`: what the proxy was told, for those who may know.

use serde_json::{Value, json};

use super::proxy::{Proxy, run, toy_path};

const TOKEN: &str = "hunter2-hunter2-hunter2";

#[tokio::test]
async fn every_setting_is_on_the_page_and_no_secret() {
    let toy = toy_path();
    let named = format!("other={toy} --password hunter2");
    let env = [
        ("MCP_PROXY_AUTH_TOKEN", TOKEN),
        ("MCP_ENV_SOMETHING", "hunter2 from a variable"),
        ("A_TOKEN", "hunter2 inherited"),
        ("MCP_PROXY_MAX_BODY_SIZE", "1MiB"),
    ];
    let flags = [
        "--port",
        "0",
        "--eager",
        "-e",
        "KEY=hunter2-typed",
        "--named-server",
        &named,
    ];
    let command = [
        "--",
        &toy,
        "--banner",
        "--api-key",
        "hunter2-argument",
        "hunter2-typed",
    ];
    let line = [&flags[..], &command].concat();
    let proxy = Proxy::typed(&env, &line).await;
    let client = proxy.client();
    client.get("/config").await.refused(401).await;
    let client = client.with("Authorization", &format!("Bearer {TOKEN}"));
    client
        .with("Host", "evil.example")
        .get("/config")
        .await
        .refused(403)
        .await;

    let text = client.get("/config").await.text().await;
    assert!(!text.contains("hunter2"), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    let server = format!("{toy} --banner --api-key *** ***");
    for (name, value, source) in [
        ("server", server.as_str(), "the command line"),
        ("token", "(hidden)", "variable MCP_PROXY_AUTH_TOKEN"),
        (
            "env",
            "KEY=(hidden) SOMETHING=(hidden)",
            "flag -e, variable MCP_ENV_*",
        ),
        ("eager", "true", "flag --eager"),
        ("max-body-size", "1MiB", "variable MCP_PROXY_MAX_BODY_SIZE"),
        ("request-timeout", "300s", "default"),
    ] {
        assert_eq!(
            page["settings"][name],
            json!({ "value": value, "source": source }),
            "{name}"
        );
    }
    assert_eq!(
        page["servers"]["other"]["command"],
        format!("{toy} --password ***")
    );
    // Nor does anything else that is shown have them.
    let status = client.get("/status").await.text().await;
    let said = proxy.said();
    for shown in [&status, &said] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    // What is on the page is what is printed, but for what changes while the proxy runs.
    let (_, printed, _) = run(&env, &[&["--print-config"], &line[..]].concat()).await;
    assert!(!printed.contains("hunter2"), "{printed}");
    let rows = printed.lines().filter(|row| !row.starts_with("servers/"));
    let rows = rows.filter(|row| !row.starts_with("warning: "));
    assert_eq!(rows.count(), page["settings"].as_object().unwrap().len());
}
