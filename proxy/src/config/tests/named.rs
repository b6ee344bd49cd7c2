//! Named servers: what is typed, the file, and reading it again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::super::*;
use super::{Toy, faults, good, read_words};
use crate::launch::find::Seen;

fn typed(words: &[&str], vars: &[(&str, &str)]) -> Result<Config, Stop> {
    read_words(words, vars)
}

fn config(words: &[&str], vars: &[(&str, &str)]) -> Config {
    typed(words, vars).unwrap_or_else(|stop| panic!("{words:?}: {stop:?}"))
}

fn refused(words: &[&str]) -> Vec<String> {
    match typed(words, &[]) {
        Err(Stop::Faults(faults)) => faults.sentences().to_vec(),
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Name and words of every named server; a broken one has its reason.
fn servers(config: &Config) -> Vec<String> {
    let servers = config.named.servers.iter();
    let shown = servers.map(|named| match &named.server {
        Ok(server) => {
            let program = std::slice::from_ref(&server.launch.program);
            let words = [program, &server.launch.args[..]].concat();
            format!("{}: {}", named.name, words.join(" "))
        }
        Err(reason) => format!("{} is broken: {reason}", named.name),
    });
    shown.collect()
}

fn env<'a>(named: &'a NamedServer, name: &str) -> Option<&'a str> {
    let env = &named.server.as_ref().unwrap().launch.env;
    let found = env.iter().find(|(known, _)| known == name)?;
    Some(&found.1)
}

#[test]
fn typed_servers_need_no_default_and_may_have_one() {
    for words in [
        &[
            "--named-server",
            "a",
            "node x 'y z'",
            "--named-server=b=/bin/uvx p",
        ][..],
        &[
            "--named-server",
            "a=node x 'y z'",
            "--named-server",
            "b",
            "/bin/uvx p",
        ],
    ] {
        let alone = config(words, &[]);
        assert_eq!(servers(&alone), ["a: /bin/node x y z", "b: /bin/uvx p"]);
        assert!(
            alone.server.is_none() && alone.warnings.is_empty(),
            "{alone:?}"
        );
        let beside = config(&[words, &["--", "npx", "-y", "p"]].concat(), &[]);
        assert_eq!(beside.named, alone.named);
        assert_eq!(beside.server.unwrap().name, "p");
    }
    // A command without a name may also come by a variable.
    let beside = config(&["--named-server", "a", "node"], &[("MCP_PACKAGE", "p")]);
    assert!(beside.server.is_some());
}

#[test]
fn faults_of_typed_servers_are_named() {
    for (words, part) in [
        (&["--named-server", "a"][..], "one of the two is missing"),
        (&["--named-server", "a/b", "node"], "\"a/b\" is not a name"),
        (&["--named-server", "..", "node"], "another place"),
        (
            &["--named-server", "a", "node 'x"],
            "--named-server a: a quote is not closed",
        ),
        (&["--named-server", "a", "cd x && node"], "sh -c"),
        (&["--named-server", "a", "https://host/mcp"], "is a URL"),
        (
            &["--named-server", "a", "absent"],
            "absent was not found in PATH",
        ),
        (
            &[
                "--named-server",
                "a",
                "node",
                "--named-server",
                "a",
                "node",
                "uvx",
            ],
            "the name a was given twice",
        ),
    ] {
        let found = refused(words);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{words:?}: {found:?}"
        );
    }
    // Beside another server, a missing program does not keep that from running.
    for words in [
        &[
            "--named-server",
            "a",
            "absent",
            "--named-server",
            "b",
            "node",
        ][..],
        &["--named-server", "a", "absent", "node"],
    ] {
        let config = config(words, &[]);
        assert!(servers(&config)[0].starts_with("a is broken: absent was not found in PATH"));
        assert!(config.warnings[0].contains("the others are served"));
    }
}

#[test]
fn what_is_for_the_default_alone_is_said_where_there_is_none() {
    let words = [
        "-e",
        "K=hunter2",
        "--cwd",
        "/srv",
        "--named-server",
        "a",
        "node",
    ];
    let config = config(&words, &[("MCP_ARGS", "x")]);
    assert_eq!(env(&config.named.servers[0], "K"), None);
    for (warning, source) in config.warnings.iter().zip(["-e", "--cwd", "MCP_ARGS"]) {
        assert!(warning.starts_with(&format!("{source} is for the server without a name")));
    }
    assert_eq!(config.warnings.len(), 3);
}

#[test]
fn the_file_is_the_document_of_desktop_clients() {
    let vars = [("TOKEN", "hunter2"), ("MCP_ENV_X", "x"), ("PORT", "1")];
    let config = config(
        &[
            "--named-server-config=/etc/good.json",
            "--named-server",
            "z",
            "uvx",
        ],
        &vars,
    );
    assert_eq!(
        servers(&config),
        [
            "z: /bin/uvx",
            "fetch: /bin/uvx mcp-server-fetch",
            "files: /bin/npx -y hunter2 /data ${input:x}",
            "lost is broken: absent was not found in PATH; install it, correct its name, or give its whole path",
            "own: /srv/./run",
        ]
    );
    let files = &config.named.servers[2];
    assert_eq!(
        files.display,
        "npx -y '${TOKEN}' '${DATA:-/data}' '${input:x}'"
    );
    assert_eq!(files.server.as_ref().unwrap().display, files.display);
    assert_eq!(env(files, "KEY"), Some("a-hunter2"));
    // As every server: what is ours is not there, what was renamed is, and its own wins.
    assert_eq!((env(files, "PORT"), env(files, "X")), (None, Some("x")));
    let own = config.named.servers[4].server.as_ref().unwrap();
    assert_eq!(own.launch.cwd.as_deref(), Some(Path::new("/srv")));
    for part in [
        "/etc/good.json: /version is not known",
        "/etc/good.json: /mcpServers/fetch/timeout has no effect",
        "/etc/good.json: /mcpServers/files/alwaysAllow is not known",
        "/etc/good.json: /mcpServers/files/args/3 holds a ${",
        "/etc/good.json: /mcpServers/far is a remote server",
        "the server lost cannot be started",
    ] {
        assert!(
            config
                .warnings
                .iter()
                .any(|warning| warning.starts_with(part)),
            "{part}: {:#?}",
            config.warnings
        );
    }
    assert_eq!(config.warnings.len(), 6, "{:#?}", config.warnings);
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    // The variable names it as well as the flag.
    let by_variable = good(
        "",
        &[
            ("MCP_PROXY_NAMED_SERVER_CONFIG", "/etc/good.json"),
            ("TOKEN", "t"),
        ],
    );
    assert_eq!(by_variable.named.servers.len(), 4);
    let clean = good(
        "--clean-env --named-server-config /etc/good.json",
        &[("TOKEN", "t"), ("A", "a")],
    );
    assert_eq!(env(&clean.named.servers[0], "A"), None);
}

#[test]
fn everything_that_is_wrong_with_the_file_is_said_at_once() {
    let found = faults(
        "--named-server-config /etc/bad.json --named-server typed=node",
        &[("MCP_PROXY_AUTH_TOKEN", "hunter2-hunter2-hunter2")],
    );
    let expected = [
        "/mcpServers/a~1b is not a name",
        "/mcpServers/twice is there twice",
        "/mcpServers/text must be an object",
        "/mcpServers/none/command is missing",
        "/mcpServers/types/command must be a string",
        "/mcpServers/types/args/1 must be a string",
        "/mcpServers/types/env/N must be a string",
        "/mcpServers/types/env/A=B is not the name of a variable",
        "/mcpServers/types/cwd must be a string",
        "/mcpServers/types/disabled must be true or false",
        "/mcpServers/both has both a command and a url",
        "/mcpServers/far/command is a URL",
        "/mcpServers/typed is the name of a --named-server too",
    ];
    for part in expected {
        let part = format!("/etc/bad.json: {part}");
        assert!(
            found.iter().any(|fault| fault.starts_with(&part)),
            "{part}: {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(!found.concat().contains("hunter2"));
}

#[test]
fn a_document_that_is_none_is_one_fault() {
    for (file, part) in [
        ("/etc/absent.json", "cannot be read"),
        ("/etc/broken.json", "is not a JSON object: "),
        ("/etc/other.json", "/mcpServers is missing"),
        ("/etc/list.json", "/mcpServers must be an object"),
    ] {
        let found = faults(&format!("--named-server-config {file}"), &[]);
        assert!(
            found.len() == 1 && found[0].starts_with(file) && found[0].contains(part),
            "{found:?}"
        );
    }
    let empty = good("--named-server-config /etc/empty.json", &[]);
    assert!(
        empty.warnings[0].contains("names no server to run"),
        "{empty:?}"
    );
}

#[test]
fn the_file_is_read_again_and_the_typed_servers_stay() {
    struct Later(&'static str);
    impl Machine for Later {
        fn look(&self, path: &Path) -> Seen {
            Toy.look(path)
        }
        fn is_folder(&self, path: &Path) -> bool {
            Toy.is_folder(path)
        }
        fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
            Toy.absolute(path)
        }
        fn read_text(&self, _: &Path) -> io::Result<String> {
            Ok(self.0.into())
        }
        fn random(&self) -> io::Result<[u8; 32]> {
            Toy.random()
        }
    }
    let env = BTreeMap::from([
        ("PATH".to_owned(), "/bin".to_owned()),
        ("TOKEN".into(), "t".into()),
    ]);
    let words = [
        "--named-server-config=/etc/good.json",
        "--named-server",
        "z",
        "uvx",
    ];
    let config = config(&words, &[("TOKEN", "t")]);
    let mut file = config.named.file.unwrap();
    let same = file.read(&env, &Toy).unwrap();
    assert!(!same.is_new);
    assert_eq!(same.servers, config.named.servers);
    let bad = file.read(&env, &Later(r#"{"mcpServers":{"z":{"command":"node"}}}"#));
    assert!(bad.unwrap_err().sentences()[0].contains("the name of a --named-server too"));
    // What was not taken is still news.
    assert!(!file.read(&env, &Toy).unwrap().is_new);
    let new = file.read(
        &env,
        &Later(r#"{"mcpServers":{"fetch":{"command":"uvx","args":["mcp-server-fetch"]}}}"#),
    );
    let new = new.unwrap();
    assert!(new.is_new);
    assert_eq!(
        new.servers,
        config.named.servers[..2],
        "nothing differs but what was taken out"
    );
}

#[test]
fn named_servers_are_printed_without_their_secrets() {
    let words = [
        "--print-config",
        "--named-server-config=/etc/good.json",
        "--named-server",
        "z",
        "uvx",
    ];
    let Err(Stop::Told(text)) = typed(&words, &[("TOKEN", "hunter2"), ("MCP_ENV_X", "hunter2")])
    else {
        panic!("nothing was printed");
    };
    assert!(!text.contains("hunter2"), "{text}");
    for (name, part, source) in [
        ("server", "(none)", "default"),
        ("servers/z", "uvx", "flag --named-server"),
        (
            "servers/files",
            "KEY=(hidden) npx -y",
            "the file of named-server-config",
        ),
        (
            "servers/lost",
            "absent",
            "cannot be started: absent was not found",
        ),
        (
            "named-server-config",
            "/etc/good.json",
            "flag --named-server-config",
        ),
    ] {
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        assert!(line.contains(part) && line.contains(source), "{line}");
    }
}
