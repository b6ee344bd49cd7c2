//! Texts that are asked for go to standard output, and nothing is started for them.

use super::proxy::run;

#[tokio::test]
async fn what_was_asked_for_is_printed_and_nothing_else_happens() {
    // A command that would leave a trace on standard error if it were started.
    let command = ["--", "sh", "-c", "echo started >&2"];
    for (flags, part) in [
        (
            &["--print-config", "--eager", "--requestTimeout", "500"][..],
            "request-timeout",
        ),
        (&["completions", "bash"], "--max-body-size"),
        (&["completions", "zsh"], "#compdef mcp-proxy"),
        (&["completions", "fish"], "complete -c mcp-proxy"),
        (&["man"], ".TH mcp-proxy 1"),
        (&["help"], "--print-config"),
    ] {
        let verb = !flags[0].starts_with('-');
        let line = if verb {
            flags.to_vec()
        } else {
            [flags, &command].concat()
        };
        let (code, out, err) = run(&[], &line).await;
        assert_eq!(code, Some(0), "{line:?}: {err}");
        assert!(out.contains(part), "{line:?}: {out}");
        assert_eq!(err, "", "{line:?}");
    }
}

#[tokio::test]
async fn what_is_refused_is_said_on_standard_error_with_code_two() {
    let line = ["--stdio", "toy", "--apiKey", "hunter2", "--tunnel"];
    let (code, out, err) = run(&[], &line).await;
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    for part in ["--apiKey: ", "MCP_PROXY_AUTH_TOKEN", "--tunnel: "] {
        assert!(err.contains(part), "{part} is not in {err}");
    }
    assert!(!err.contains("hunter2"), "{err}");
}
