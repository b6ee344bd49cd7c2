//! What becomes of an installation that ended, one way or the other.

use std::ffi::OsStr;

use super::super::Lease;
use super::*;
use crate::launch::package;
use crate::link::child::Environment;

fn command(program: &str, args: &[&str], env: &[(&str, &str)]) -> Command {
    Command {
        program: program.into(),
        args: args.iter().map(|arg| (*arg).into()).collect(),
        cwd: None,
        env: env.iter().copied().collect::<Environment>(),
    }
}

fn package(text: &str, fallback: bool, limit: Option<u64>) -> Package {
    let package = package::Package::parse(text).unwrap();
    Package {
        settings: Settings {
            cache: "/nowhere".into(),
            timeout: Duration::from_secs(1),
            refresh: Duration::ZERO,
            ignore_scripts: false,
            min_release_age: None,
            keep: 1,
            guardian: None,
        },
        recipe: Recipe {
            wanted: crate::launch::install::Wanted::new(package, Vec::new()).unwrap(),
            tools: crate::launch::install::Tools::default(),
            env: Vec::new(),
        },
        base: command("", &["/srv"], &[("PATH", "/bin"), ("KEY", "k")]),
        typed: command("/bin/npx", &["-y", "x"], &[]),
        has_fallback: fallback,
        limit,
        state: watch::Sender::new(State::Idle),
        task: Mutex::default(),
    }
}

#[test]
fn an_installed_package_runs_without_its_installer() {
    let installed = Installed {
        lease: Lease::none(),
        spec: "x".into(),
        name: "x".into(),
        version: "1.0.0".into(),
        command: vec!["/bin/node".into(), "--flag".into(), "/c/x.js".into()],
        file: "/c/x.js".into(),
        programs: "/c/.bin".into(),
        added: Vec::new(),
        cached: true,
    };
    let limit = Some(1 << 30);
    let command = package("x", true, limit).of_installed(&installed);
    assert_eq!(command.program, "/bin/node");
    assert_eq!(command.args, ["--flag", "/c/x.js", "/srv"]);
    assert_eq!(command.env.get("PATH"), Some(OsStr::new("/c/.bin:/bin")));
    assert_eq!(command.env.get("KEY"), Some(OsStr::new("k")));
    assert_eq!(
        command.env.get("NODE_OPTIONS"),
        Some(OsStr::new("--max-old-space-size=614"))
    );
    let python = package("pypi:x", true, limit).of_installed(&installed);
    assert_eq!(python.env.get("NODE_OPTIONS"), None);
}

#[test]
fn only_node_is_told_how_much_memory_there_is() {
    let limit = Some(1 << 30);
    for (program, told) in [("/usr/bin/node", true), ("npx", true), ("/bin/uvx", false)] {
        let command = bounded(command(program, &[], &[]), limit);
        assert_eq!(command.env.get("NODE_OPTIONS").is_some(), told, "{program}");
    }
}

#[test]
fn a_failure_falls_back_unless_that_would_hide_its_reason() {
    let late = InstallError::Late {
        spec: "x".into(),
        limit: Duration::ZERO,
    };
    let absent = InstallError::NoSuch {
        spec: "x".into(),
        said: "E404".into(),
    };
    for (error, fallback, falls_back) in [
        (&late, true, true),
        (&late, false, false),
        (&absent, true, false),
    ] {
        let state = package("x", fallback, None).failed("x", error, Duration::ZERO);
        assert_eq!(
            matches!(state, State::FellBack { .. }),
            falls_back,
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_installation_is_not_tried_again_at_once() {
    let provision = Arc::new(Provision(Kind::Package(Box::new(package(
        "x", false, None,
    )))));
    // There is no npm to install it with, and no cache to look into.
    for _again in 0..2 {
        let refusal = provision
            .command(Duration::from_secs(60))
            .await
            .unwrap_err();
        let Refusal::Start { retry_after, .. } = refusal else {
            panic!("{refusal:?}");
        };
        assert!(retry_after <= RETRY_AFTER);
        assert_eq!(provision.status().unwrap().state, "failed");
        assert!(provision.unready().unwrap().starts_with("installing x: "));
    }
    provision.begin();
    assert_eq!(provision.status().unwrap().state, "failed");
    tokio::time::advance(RETRY_AFTER).await;
    provision.begin();
    assert_eq!(provision.status().unwrap().state, "installing");
    assert_eq!(provision.unready().as_deref(), Some("installing x"));
}
