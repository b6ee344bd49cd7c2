//! Packages of the npm registry: npm installs into a staging folder, which is then moved.

use std::fs;
use std::io;
use std::path::Path;

use tokio::time::Instant;

use super::error::InstallError;
use super::node::{self, Manifest};
use super::recipe::{NO_SCRIPTS, Recipe, Settings};
use super::run::{Ended, Stopped, Tool, last_words};
use super::store::{Entry, Program, Store, encode};
use super::{Wanted, date};

/// So that npm takes the folder for the root of a project, whatever is above it.
const EMPTY_PROJECT: &str = r#"{"private":true}"#;

/// Installs `wanted` and says what the index will.
pub(super) async fn install(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    wanted: &Wanted,
    key: String,
    deadline: Instant,
) -> Result<Entry, InstallError> {
    let spec = wanted.spec();
    if let (true, Some((_, version))) = (
        wanted.is_pinned(),
        spec.get(1..).and_then(|s| s.split_once('@')),
    ) {
        // Another spelling of it may have been installed before.
        let folder = folder(wanted.name(), version, settings);
        if let Ok((version, program)) = installed(store, &folder, wanted) {
            return Ok(Entry::new(key, version, folder, program));
        }
    }
    let staging = store.staging()?;
    let manifest = staging.path.join("package.json");
    fs::write(&manifest, EMPTY_PROJECT).map_err(|cause| InstallError::cache(&manifest, &cause))?;
    let mut args = words(&["install", "--prefix"]);
    args.push(staging.path.display().to_string());
    args.extend(words(&[
        "--omit=dev",
        "--no-audit",
        "--no-fund",
        "--no-progress",
        "--global=false",
        // The lock file keeps the checksum of every package.
        "--package-lock=true",
        "--loglevel=error",
    ]));
    if settings.ignore_scripts {
        args.push("--ignore-scripts".into());
    }
    if let Some(age) = settings.min_release_age {
        args.push(format!("--before={}", date::ago(age)));
    }
    args.extend(["--".into(), spec.clone()]);
    let ended = run(recipe, &staging.path, args, deadline, settings).await?;
    if !ended.success {
        return Err(fault(&ended, &spec, settings));
    }
    let (version, program) = look(&staging.path, wanted)?;
    let folder = folder(wanted.name(), &version, settings);
    // Another spelling of the same version: what others run stays untouched.
    if installed(store, &folder, wanted).is_err() {
        store.publish(staging, &folder)?;
    }
    Ok(Entry::new(key, version, folder, program))
}

/// The newest version that `wanted` means, by the registry.
pub(super) async fn newest(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    deadline: Instant,
) -> Result<String, InstallError> {
    let spec = recipe.wanted.spec();
    let mut args = words(&["view", "--json", "--loglevel=error"]);
    // There is something to run already: whoever is offline shall know it soon.
    args.push("--fetch-retries=0".into());
    args.extend(["--".into(), spec.clone(), "version".into()]);
    let ended = run(recipe, &store.home(), args, deadline, settings).await?;
    if !ended.success {
        return Err(fault(&ended, &spec, settings));
    }
    // One version as a string; several, in ascending order, for a range.
    let said: Option<serde_json::Value> = serde_json::from_str(&ended.stdout).ok();
    let version = said
        .as_ref()
        .and_then(|said| said.as_str().or_else(|| said.as_array()?.last()?.as_str()));
    version
        .map(str::to_owned)
        .ok_or_else(|| InstallError::Tool {
            tool: "npm",
            spec,
            said: "its answer names no version".into(),
        })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The name of a package's folder. With and without scripts are two things.
fn folder(name: &str, version: &str, settings: &Settings) -> String {
    let scripts = if settings.ignore_scripts {
        NO_SCRIPTS
    } else {
        ""
    };
    encode(&format!("{name}@{version}{scripts}"))
}

fn installed(
    store: &Store,
    folder: &str,
    wanted: &Wanted,
) -> Result<(String, Program), InstallError> {
    look(&store.home().join(folder), wanted)
}

/// The version and the program of the package in a prefix.
fn look(prefix: &Path, wanted: &Wanted) -> Result<(String, Program), InstallError> {
    let spec = wanted.spec();
    let inside = format!("node_modules/{}", wanted.name());
    let path = prefix.join(&inside).join("package.json");
    let manifest = fs::read(&path)
        .and_then(|text| serde_json::from_slice::<Manifest>(&text).map_err(io::Error::from))
        .map_err(|cause| InstallError::cache(&path, &cause))?;
    let none = |trouble: String| InstallError::NoProgram {
        spec: spec.clone(),
        trouble,
    };
    let file = manifest.program(wanted.name()).map_err(none)?;
    let file = format!("{inside}/{}", file.trim_start_matches("./"));
    // npm also takes a file's name without its ending.
    let file = if prefix.join(&file).is_file() {
        file
    } else {
        format!("{file}.js")
    };
    let program = node::program(prefix, file)
        .map_err(|cause| none(format!("does not hold the program it names: {cause}")))?;
    Ok((manifest.version, program))
}

async fn run(
    recipe: &Recipe,
    cwd: &Path,
    args: Vec<String>,
    deadline: Instant,
    settings: &Settings,
) -> Result<Ended, InstallError> {
    let program = recipe.tools.npm.as_deref().ok_or(InstallError::NoTool {
        what: "npm",
        remedy: "install Node.js 20 or newer with npm, or name the server's own command after `--`",
    })?;
    let tool = Tool {
        program,
        args,
        cwd: cwd.to_owned(),
        env: &recipe.env,
        deadline,
        guardian: settings.guardian.as_ref(),
    };
    tool.run().await.map_err(|stopped| match stopped {
        Stopped::Late => InstallError::Late {
            spec: recipe.wanted.spec(),
            limit: settings.timeout,
        },
        Stopped::Unstarted(cause) => InstallError::Tool {
            tool: "npm",
            spec: recipe.wanted.spec(),
            said: format!("it could not be started: {cause}"),
        },
    })
}

fn fault(ended: &Ended, spec: &str, settings: &Settings) -> InstallError {
    let (said, spec) = (last_words(&ended.stderr), spec.to_owned());
    // With --json the code stands in the output too; the lines are the same in every npm since 6.
    let code = |code: &str| {
        let line = |line: &str| line.contains("code") && line.ends_with(code);
        ended.stderr.lines().any(line)
    };
    if code("ETARGET") && settings.min_release_age.is_some() {
        return InstallError::Refused(format!(
            "{spec} or something it needs has no release older than --min-release-age: {said}"
        ));
    }
    if code("E404") || code("ETARGET") {
        return InstallError::NoSuch { spec, said };
    }
    InstallError::Tool {
        tool: "npm",
        spec,
        said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_npm_says_is_understood() {
        let settings = |age| Settings {
            cache: "/c".into(),
            timeout: Duration::from_secs(1),
            refresh: Duration::ZERO,
            ignore_scripts: false,
            min_release_age: age,
            keep: 1,
            guardian: None,
        };
        let ended = |stderr: &str| Ended {
            success: false,
            stdout: String::new(),
            stderr: stderr.into(),
        };
        let day = Some(Duration::from_secs(86_400));
        for (stderr, age, is_final, part) in [
            (
                "npm error code E404\nnpm error 404 Not Found",
                None,
                true,
                "not in the registry",
            ),
            ("npm ERR! code ETARGET", None, true, "not in the registry"),
            ("npm error code ETARGET", day, true, "--min-release-age"),
            (
                "npm error code ECONNREFUSED",
                None,
                false,
                "npm failed for x@1",
            ),
            ("", None, false, "it said nothing"),
        ] {
            let fault = fault(&ended(stderr), "x@1", &settings(age));
            assert_eq!(fault.is_final(), is_final, "{stderr}");
            assert!(fault.to_string().contains(part), "{fault}");
        }
    }
}
