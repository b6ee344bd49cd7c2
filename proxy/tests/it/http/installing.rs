//! Packages, installed by an npm that does what its test wants of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{
    proxy::{Proxy, run, toy_path},
    session::{LATEST, Session, initialize},
};
use crate::toy::{eventually, runs};

/// A machine with a scripted npm: a home, a cache, and a folder of programs.
struct Scene {
    root: PathBuf,
    path: String,
    home: String,
    cache: String,
}

/// Notes its process and its words, waits while `hold` is there, then installs the toy as `server`.
const NPM: &str = r#"#!/bin/sh
echo $$ >> "$HOME/npm.pids"
echo "$*" >> "$HOME/npm.log"
env > "$HOME/npm.env"
while [ -e "$HOME/hold" ]; do sleep 0.02; done
[ -e "$HOME/offline" ] && { echo "npm error code ECONNREFUSED" >&2; exit 1; }
[ "$1" = view ] && { cat "$HOME/newest"; exit 0; }
case "$*" in *absent*) echo "npm error code E404" >&2; exit 1;; esac
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/node_modules/server"
cd "$2/node_modules/server"
printf '{"version":%s,"bin":"run"}' "$(cat "$HOME/newest")" > package.json
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(cat "$HOME/toy")" > run
chmod +x run
"#;

impl Scene {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("mcp-it-{}-{name}", std::process::id()));
        let (home, bin) = (root.join("home"), root.join("bin"));
        for folder in [&home, &bin] {
            fs::create_dir_all(folder).unwrap();
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let scene = Self {
            path: text(&bin),
            home: text(&home),
            cache: text(&root.join("cache")),
            root,
        };
        // Nothing else, so that no npx or uv of this machine is found.
        for tool in ["sh", "cat", "chmod", "env", "mkdir", "sleep"] {
            let found = [Path::new("/usr/bin"), Path::new("/bin")].map(|folder| folder.join(tool));
            let found = found.iter().find(|file| file.exists()).unwrap();
            std::os::unix::fs::symlink(found, bin.join(tool)).unwrap();
        }
        scene.program("npm", NPM);
        scene.program("node", "#!/bin/sh\nexit 1\n");
        scene.put("toy", &toy_path());
        scene.put("newest", "\"1.0.0\"");
        scene
    }

    fn program(&self, name: &str, text: &str) {
        let file = self.root.join("bin").join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(Path::new(&self.home).join(name), text).unwrap();
    }

    fn take(&self, name: &str) {
        fs::remove_file(Path::new(&self.home).join(name)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(Path::new(&self.home).join(name)).unwrap_or_default()
    }

    /// How often npm ran.
    fn npm_runs(&self) -> usize {
        self.read("npm.log").lines().count()
    }

    fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("PATH", &self.path),
            ("HOME", &self.home),
            ("MCP_PROXY_CACHE_DIR", &self.cache),
            ("API_KEY", "hunter2"),
            ("MCP_PROXY_AUTH_TOKEN", "correct-horse-battery"),
        ]
    }

    async fn proxy(&self, package: &str, flags: &[&str]) -> Proxy {
        let mut env = self.env();
        env.extend([("MCP_PACKAGE", package), ("MCP_ARGS", "folder")]);
        Proxy::typed(&env, &[&["--port", "0"], flags].concat()).await
    }

    async fn install(&self, words: &[&str]) -> (Option<i32>, String, String) {
        run(&self.env(), &[&["install"], words].concat()).await
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.root);
    }
}

async fn serves(proxy: &Proxy) {
    let session = Session::open(&authorised(proxy), LATEST).await;
    assert_eq!(session.call("args", json!({})).await, r#"["folder"]"#);
    let inside = session.call("env", json!({})).await;
    assert!(inside.contains("hunter2"), "{inside}");
}

fn authorised(proxy: &Proxy) -> super::client::Client {
    proxy
        .client()
        .with("Authorization", "Bearer correct-horse-battery")
}

#[tokio::test]
async fn a_package_is_installed_once_and_then_runs_without_npm() {
    let scene = Scene::new("once");
    for package in ["server", "server", "server@1.0.0"] {
        let proxy = scene.proxy(package, &[]).await;
        serves(&proxy).await;
        let status = authorised(&proxy).status().await;
        assert_eq!(status["install"]["version"], "1.0.0", "{status}");
        assert_eq!(status["install"]["package"], package, "{status}");
        let page = proxy.client().get("/metrics").await.text().await;
        let outcome = status["install"]["state"].as_str().unwrap();
        let counted = format!(
            r#"mcp_proxy_install_seconds_count{{package="{package}",outcome="{outcome}"}} 1"#
        );
        assert!(page.contains(&counted), "{counted} is not in\n{page}");
    }
    assert_eq!(scene.npm_runs(), 1, "{}", scene.read("npm.log"));
    let env = scene.read("npm.env");
    assert!(
        !env.contains("hunter2") && !env.contains("correct-horse"),
        "{env}"
    );
    // A typed line is the same package.
    let env = scene.env();
    let proxy = Proxy::typed(
        &env,
        &["--port", "0", "--", "npx", "-y", "server", "folder"],
    )
    .await;
    serves(&proxy).await;
    assert_eq!(scene.npm_runs(), 1);
}

#[tokio::test]
async fn requests_wait_for_an_installation_and_are_told_when_it_takes_longer() {
    let scene = Scene::new("wait");
    scene.put("hold", "");
    let proxy = scene.proxy("server", &["--start-timeout", "300ms"]).await;
    let client = authorised(&proxy);
    let ready = client.get("/health/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json().await["reason"], "installing server");
    assert_eq!(client.status().await["install"]["state"], "installing");
    assert_eq!(client.get("/health/live").await.status, 200);
    let refused = client.post(initialize(LATEST)).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    let said = refused.json().await;
    let sentence = said["error"]["message"].as_str().unwrap();
    assert!(
        sentence.contains("installing server has not ended"),
        "{said}"
    );
    scene.take("hold");
    proxy.says("server 1.0.0 is installed").await;
    assert_eq!(client.get("/health/ready").await.status, 200);
    serves(&proxy).await;
}

#[tokio::test]
async fn two_that_start_at_once_install_once() {
    let scene = Scene::new("two");
    scene.put("hold", "");
    let one = scene.proxy("server", &[]).await;
    eventually("npm", || scene.npm_runs() == 1).await;
    let other = scene.proxy("server", &[]).await;
    scene.take("hold");
    serves(&one).await;
    serves(&other).await;
    assert_eq!(scene.npm_runs(), 1);
}

#[tokio::test]
async fn an_installation_that_was_killed_is_begun_anew() {
    let scene = Scene::new("killed");
    scene.put("hold", "");
    let mut proxy = scene.proxy("server", &[]).await;
    eventually("npm", || scene.npm_runs() == 1).await;
    let npm: u32 = scene.read("npm.pids").trim().parse().unwrap();
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.exit().await, Some(0));
    eventually("the end of npm", || !runs(npm)).await;
    scene.take("hold");
    let proxy = scene.proxy("server", &[]).await;
    serves(&proxy).await;
    assert_eq!(scene.npm_runs(), 2);
    let staging = Path::new(&scene.cache).join("npm/staging");
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_broken_entry_is_installed_again() {
    let scene = Scene::new("broken");
    assert_eq!(scene.install(&["server"]).await.0, Some(0));
    let file = Path::new(&scene.cache).join("npm/server@1.0.0/node_modules/server/run");
    fs::remove_file(&file).unwrap();
    let proxy = scene.proxy("server", &[]).await;
    serves(&proxy).await;
    assert!(file.exists());
    assert_eq!(scene.npm_runs(), 2);
}

#[tokio::test]
async fn a_budget_that_is_over_falls_back_where_it_can() {
    let scene = Scene::new("budget");
    scene.put("hold", "");
    let proxy = scene.proxy("server", &["--install-timeout", "1s"]).await;
    proxy.says("took longer than 1s").await;
    let client = authorised(&proxy);
    let refused = client.post(initialize(LATEST)).await.refused(503).await;
    let sentence = refused["message"].as_str().unwrap();
    assert!(sentence.contains("--install-timeout"), "{refused}");
    assert_eq!(client.status().await["install"]["state"], "failed");
    let npm: u32 = scene.read("npm.pids").trim().parse().unwrap();
    eventually("the end of npm", || !runs(npm)).await;

    let npx = format!("#!/bin/sh\nshift 2\nexec {} \"$@\"\n", toy_path());
    scene.program("npx", &npx);
    let proxy = scene.proxy("server", &["--install-timeout", "1s"]).await;
    proxy.says("server is run by npx").await;
    serves(&proxy).await;
    assert_eq!(
        authorised(&proxy).status().await["install"]["state"],
        "fallback"
    );
    // What the registry does not have, npx does not have either.
    scene.take("hold");
    let proxy = scene.proxy("absent", &[]).await;
    let refused = authorised(&proxy)
        .post(initialize(LATEST))
        .await
        .refused(503)
        .await;
    let sentence = refused["message"].as_str().unwrap();
    assert!(
        sentence.contains("absent is not in the registry"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_newer_release_is_looked_for_and_missed_when_offline() {
    let scene = Scene::new("newer");
    let fresh = ["--install-refresh", "0", "server"];
    assert!(scene.install(&fresh).await.1.starts_with("server 1.0.0\t"));
    scene.put("offline", "");
    let (code, told, said) = scene.install(&fresh).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(told.starts_with("server 1.0.0\t"), "{told}");
    assert!(said.contains("is used as it is in the cache"), "{said}");
    scene.take("offline");
    // Asked, and nothing new.
    assert!(scene.install(&fresh).await.2.contains("is in the cache"));
    scene.put("newest", "\"2.0.0\"");
    assert!(
        scene
            .install(&["server"])
            .await
            .1
            .starts_with("server 1.0.0\t")
    );
    assert!(scene.install(&fresh).await.1.starts_with("server 2.0.0\t"));
    // Whoever runs the older one is not disturbed.
    assert!(Path::new(&scene.cache).join("npm/server@1.0.0").exists());
}

#[tokio::test]
async fn install_says_what_is_there_and_fails_when_something_is_not() {
    let scene = Scene::new("verb");
    let flags = ["--ignore-scripts", "--min-release-age", "7d"];
    let (code, told, said) = scene
        .install(&[&flags[..], &["absent", "server"]].concat())
        .await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("absent was not installed: absent is not in the registry"),
        "{said}"
    );
    let (what, program) = told.trim_end().split_once('\t').unwrap();
    assert_eq!(what, "server 1.0.0");
    assert!(
        program.ends_with("node_modules/server/run'") || program.ends_with("server/run"),
        "{program}"
    );
    let log = scene.read("npm.log");
    assert!(log.contains("--ignore-scripts --before=20"), "{log}");
}

#[tokio::test]
async fn more_packages_are_installed_beside_the_servers() {
    let scene = Scene::new("prewarm");
    let flags = [
        "--port",
        "0",
        "--prewarm",
        "absent,server",
        "--",
        &toy_path(),
    ];
    let proxy = Proxy::typed(&scene.env(), &flags).await;
    proxy.says("absent was not installed ahead").await;
    proxy.says("server 1.0.0 is installed").await;
    let proxy = scene.proxy("server", &[]).await;
    serves(&proxy).await;
    assert_eq!(scene.npm_runs(), 2);
}

#[tokio::test]
async fn a_proxy_that_stops_leaves_no_installer() {
    let scene = Scene::new("verb-stops");
    scene.put("hold", "");
    let stopped = tokio::time::timeout(Duration::from_secs(2), scene.install(&["server"])).await;
    // Nobody waits for it any more, and its program is killed.
    assert!(stopped.is_err());
    scene.take("hold");
    let npm: u32 = scene.read("npm.pids").trim().parse().unwrap();
    eventually("the end of npm", || !runs(npm)).await;
}

#[tokio::test]
async fn an_installer_does_not_outlive_a_proxy_that_is_killed() {
    let scene = Scene::new("killed");
    scene.put("hold", "");
    let mut proxy = scene.proxy("server", &[]).await;
    eventually("npm runs", || scene.npm_runs() == 1).await;
    let npm: u32 = scene.read("npm.pids").trim().parse().unwrap();
    assert!(runs(npm));
    proxy.signal(Signal::KILL);
    assert_eq!(proxy.exit().await, None);
    eventually("the installer is gone", || !runs(npm)).await;
}

#[tokio::test]
async fn old_versions_are_removed_but_for_those_that_are_used() {
    let scene = Scene::new("pruned");
    let flags = ["--install-refresh", "0", "--keep-versions", "2"];
    let used = scene.proxy("server", &flags).await;
    serves(&used).await;
    let folder = Path::new(&scene.cache).join("npm");
    let has = |version: &str| folder.join(format!("server@{version}")).exists();
    assert!(has("1.0.0"));
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        scene.put("newest", &format!("\"{version}\""));
        let (code, ..) = scene
            .install(&["--install-refresh", "0", "--keep-versions", "2", "server"])
            .await;
        assert_eq!((code, has(version)), (Some(0), true));
    }
    assert!(!has("1.1.0") && has("1.2.0"), "the newest two stay");
    assert!(has("1.0.0"), "and one that a proxy runs");
    serves(&used).await;
    drop(used);
    scene.put("newest", "\"1.4.0\"");
    eventually("its lock is gone", || {
        fs::File::open(folder.join("server@1.0.0")).is_ok_and(|file| file.try_lock().is_ok())
    })
    .await;
    let (code, ..) = scene
        .install(&["--install-refresh", "0", "--keep-versions", "2", "server"])
        .await;
    assert_eq!((code, has("1.0.0"), has("1.4.0")), (Some(0), false, true));
}
