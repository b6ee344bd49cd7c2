//! Which servers are installed, where to, and what `mcp-proxy install` is told.

use std::time::Duration;

use super::super::*;
use super::{command, faults, good, read};
use crate::launch::Kind;

const HOME: (&str, &str) = ("HOME", "/h");

/// What is installed, with the server's own arguments.
fn installed(line: &str, vars: &[(&str, &str)]) -> Option<(String, Vec<String>)> {
    let vars = [vars, &[HOME]].concat();
    let launch = good(line, &vars).server.unwrap().launch;
    launch
        .install
        .map(|install| (install.recipe.wanted.spec(), install.args))
}

#[test]
fn packages_are_installed_and_commands_are_not() {
    for (line, vars, package, args) in [
        (
            "",
            &[("MCP_PACKAGE", "@s/x@1.2.3"), ("MCP_ARGS", "a b")][..],
            "@s/x@1.2.3",
            &["a", "b"][..],
        ),
        ("npx -y @s/x@1 a -b", &[], "@s/x@1", &["a", "-b"]),
        ("-- npx --yes x", &[], "x", &[]),
    ] {
        let expected = (
            package.to_owned(),
            args.iter().map(|arg| (*arg).to_owned()).collect(),
        );
        assert_eq!(installed(line, vars), Some(expected), "{line} {vars:?}");
    }
    for (line, vars) in [
        ("npx x", &[][..]),
        ("npx -y -p x y", &[]),
        ("npx -y ./x", &[]),
        ("npx -y git+https://h/x", &[]),
        ("npx -y x@^1.0", &[]),
        ("/bin/npx -y x", &[]),
        ("uvx --from x y", &[]),
        ("node x.js", &[]),
        ("--no-install npx -y x", &[]),
        ("", &[("MCP_PACKAGE", "bin:tool")]),
        (
            "",
            &[("MCP_PACKAGE", "x"), ("MCP_PROXY_NO_INSTALL", "true")],
        ),
        // Nothing on this machine could make an environment for Python.
        ("uvx x", &[]),
    ] {
        assert_eq!(installed(line, vars), None, "{line} {vars:?}");
    }
    let config = good("npx -y x a", &[HOME]);
    assert_eq!(config.server.as_ref().unwrap().launch.kind, Kind::Npm);
    assert_eq!(command(&config), "/bin/npx -y x a");
}

#[test]
fn the_cache_is_where_it_is_said_to_be() {
    for (line, vars, cache) in [
        ("node", &[HOME][..], Some("/h/.cache/mcp-proxy")),
        (
            "node",
            &[HOME, ("XDG_CACHE_HOME", "/x")],
            Some("/x/mcp-proxy"),
        ),
        (
            "node",
            &[HOME, ("XDG_CACHE_HOME", "x")],
            Some("/h/.cache/mcp-proxy"),
        ),
        ("node", &[HOME, ("MCP_PROXY_CACHE_DIR", "/y")], Some("/y")),
        ("--cache-dir y node", &[HOME], Some("/y")),
        ("node", &[], None),
        ("--no-install node", &[HOME], None),
    ] {
        let install = good(line, vars).install;
        let found = install.map(|install| install.cache);
        assert_eq!(
            found.as_deref(),
            cache.map(std::path::Path::new),
            "{line} {vars:?}"
        );
    }
}

#[test]
fn guards_and_budgets_are_read() {
    let config = good(
        "--install-timeout 10m --install-refresh 0 --ignore-scripts --min-release-age 7d node",
        &[HOME],
    );
    let install = config.install.unwrap();
    assert_eq!(install.timeout, Duration::from_secs(600));
    assert_eq!(install.refresh, Duration::ZERO);
    assert!(install.ignore_scripts);
    assert_eq!(
        install.min_release_age,
        Some(Duration::from_secs(7 * 86_400))
    );
    let install = good("node", &[HOME]).install.unwrap();
    assert_eq!(install.timeout, Duration::from_secs(300));
    assert_eq!(install.refresh, Duration::from_secs(86_400));
    assert_eq!(install.min_release_age, None);
    for line in [
        "--no-install --ignore-scripts node",
        "--no-install --min-release-age 1d node",
    ] {
        assert!(faults(line, &[HOME])[0].contains("do not reach"), "{line}");
    }
}

#[test]
fn requirements_go_beside_python_packages() {
    let vars = [
        ("MCP_PACKAGE", "pypi:x"),
        ("MCP_PACKAGE_WITH", "mcp<2 a[b]==1"),
    ];
    assert_eq!(
        command(&good("", &vars)),
        "/bin/uvx --with mcp<2 --with a[b]==1 x"
    );
    for word in ["--index-url=http://h", "a@https://h", "/x", "a;b"] {
        let vars = [("MCP_PACKAGE", "pypi:x"), ("MCP_PACKAGE_WITH", word)];
        assert!(
            faults("", &vars)[0].contains("is not a requirement"),
            "{word}"
        );
    }
    let vars = [("MCP_PACKAGE", "x"), ("MCP_PACKAGE_WITH", "mcp<2")];
    assert!(
        good("", &vars)
            .warnings
            .iter()
            .any(|warning| warning.contains("no Python package"))
    );
}

#[test]
fn install_is_an_errand() {
    let Err(Stop::Errand(errand)) = read("install --cache-dir /c @s/x pypi:y==1", &[HOME]) else {
        panic!("it was not");
    };
    let specs: Vec<_> = errand
        .order
        .recipes
        .iter()
        .map(|recipe| recipe.wanted.spec())
        .collect();
    assert_eq!(specs, ["@s/x", "y==1"]);
    assert_eq!(errand.order.settings.cache, std::path::Path::new("/c"));
    // Anywhere else it is a program's name.
    assert!(faults("-- install x", &[HOME])[0].contains("install was not found"));
    for (line, part) in [
        ("install", "no package was named"),
        ("install bin:tool", "nothing to install"),
        ("install X", "install: "),
        ("install x --ignore-scripts", "before the first package"),
        ("install --no-install x", "nowhere to install"),
    ] {
        let faults = faults(line, &[HOME]);
        assert!(
            faults.iter().any(|fault| fault.contains(part)),
            "{line}: {faults:?}"
        );
    }
    assert!(matches!(read("install --help", &[]), Err(Stop::Told(_))));
}

#[test]
fn more_packages_can_be_warmed() {
    let order = good("--prewarm a,pypi:b --prewarm c@1 node", &[HOME])
        .prewarm
        .unwrap();
    let specs: Vec<_> = order
        .recipes
        .iter()
        .map(|recipe| recipe.wanted.spec())
        .collect();
    assert_eq!(specs, ["a", "b", "c@1"]);
    assert!(faults("--prewarm a,B node", &[HOME])[0].starts_with("--prewarm: "));
}

#[test]
fn host_and_port_are_read_beside_their_flags() {
    for (line, vars, host, port) in [
        ("node", &[("HOST", "::1"), ("PORT", "1")][..], "::1", 1),
        (
            "node",
            &[("HOST", "::1"), ("MCP_PROXY_HOST", "127.0.0.2")],
            "127.0.0.2",
            8080,
        ),
        (
            "--host 127.0.0.3 --port 2 node",
            &[("HOST", "::1"), ("PORT", "1")],
            "127.0.0.3",
            2,
        ),
        ("node", &[("HOST", "")], "127.0.0.1", 8080),
    ] {
        let listen = good(line, vars).listen;
        assert_eq!(
            (listen.host.as_str(), listen.port),
            (host, port),
            "{line} {vars:?}"
        );
    }
}
