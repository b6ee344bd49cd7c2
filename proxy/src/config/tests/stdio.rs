//! `--stdio`, which is ours alone and another program's with a command in the next word.

use super::{command, faults, good};

#[test]
fn alone_it_opens_no_port() {
    for line in ["--stdio -- node x", "--stdio --eager -- node x"] {
        let config = good(line, &[]);
        assert!(config.stdio, "{line}");
        assert_eq!(command(&config), "/bin/node x");
    }
    let variables = [("MCP_COMMAND", "node x"), ("MCP_PROXY_STDIO", "true")];
    assert!(good("", &variables).stdio);
    assert!(good("--stdio", &variables[..1]).stdio);
    assert!(!good("-- node x", &[]).stdio);
}

#[test]
fn with_a_command_in_one_word_it_is_another_programs() {
    for line in ["--stdio node", "--stdio=node", "--stdio node --port 1"] {
        let config = good(line, &[]);
        assert!(!config.stdio, "{line}");
        assert_eq!(command(&config), "/bin/node");
    }
    let sentences = faults("--stdio node x", &[]);
    assert!(sentences[0].contains("begin it with `--`"), "{sentences:?}");
}

#[test]
fn what_concerns_http_alone_is_told_of_in_one_sentence() {
    let line = "--stdio --port 1 --sessionTimeout 5 --allow-origin * --silence 1s --deny-tool x \
                --max-line-size 1MiB -- node";
    assert_eq!(
        faults(line, &[]),
        [
            "--stdio opens no port, so there is nothing to do for --port, --allow-origin, \
          --sessionTimeout, --silence; leave that out"
        ]
    );
    // A variable may be meant for a neighbour.
    let config = good(
        "--stdio -- node",
        &[("PORT", "1"), ("MCP_PROXY_STATELESS", "1")],
    );
    assert!(config.stdio && config.warnings.is_empty());
}

#[test]
fn its_client_has_one_server() {
    for line in [
        "--stdio --named-server a node -- node",
        "--stdio --named-server a node",
    ] {
        let sentences = faults(line, &[]);
        assert!(sentences[0].contains("one server"), "{sentences:?}");
    }
}
