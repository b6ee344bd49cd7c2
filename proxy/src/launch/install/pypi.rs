//! Packages of the Python index: a virtual environment for each, built where it stays.
//!
//! Older servers allow any version of the SDK `mcp` and die at import or right after with its 2.x
//! line. So a fresh installation has its entry point loaded once, and where it got an SDK that it does
//! not say it is made for, it is run once with nothing to read. Where either fails over the SDK, it
//! is given `mcp<2`. A server that fails so only with its own arguments is found when it is served.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::error::InstallError;
use super::recipe::{Recipe, Settings};
use super::run::{Ended, Stopped, Tool, last_words};
use super::store::{Building, Entry, Program, Store};
use super::{Wanted, date};

/// What is added when a server cannot be imported with the SDK it got.
pub(super) const OLDER_SDK: &str = "mcp<2";

/// Loading an entry point takes seconds on a busy machine; one that takes longer has begun to serve.
const LOAD_LIMIT: Duration = Duration::from_secs(60);

/// Running with nothing to read: a server ends at once, one way or the other.
const TRIAL_LIMIT: Duration = Duration::from_secs(15);

/// Prints the version and the console scripts of a distribution, and whether it got an SDK of 2.x
/// without asking for one by name and number.
const DESCRIBE: &str = "\
import importlib.metadata as m, json, re, sys
d = m.distribution(sys.argv[1])
s = [e.name for e in d.entry_points if e.group == 'console_scripts']
try: new = int(m.version('mcp').split('.')[0]) >= 2
except m.PackageNotFoundError: new = False
asks = any(re.match(r'mcp(?![-_.\\w]).*[=>]=?\\s*2', r) for r in d.requires or [])
print(json.dumps({'version': d.version, 'scripts': s, 'newer_sdk': new and not asks}))
";

/// Loads the object behind a console script, and does not call it.
const LOAD: &str = "\
import importlib.metadata as m, sys
for e in m.distribution(sys.argv[1]).entry_points:
    if e.group == 'console_scripts' and e.name == sys.argv[2]:
        e.load()
";

#[derive(Deserialize)]
struct Described {
    version: String,
    scripts: Vec<String>,
    newer_sdk: bool,
}

/// One installation: what all of its steps need.
struct Work<'a> {
    settings: &'a Settings,
    recipe: &'a Recipe,
    wanted: &'a Wanted,
    deadline: Instant,
}

/// Installs `wanted` and says what the index will.
pub(super) async fn install(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    wanted: &Wanted,
    key: String,
    deadline: Instant,
) -> Result<Entry, InstallError> {
    let work = Work {
        settings,
        recipe,
        wanted,
        deadline,
    };
    work.check_guards()?;
    let building = store.in_place(wanted.name())?;
    work.make(&building).await?;
    work.fill(&building, &[]).await?;
    let mut described = work.describe(&building).await?;
    let mut program = work.program(&building, &described)?;
    let mut added = Vec::new();
    if let Some(said) = work
        .sdk_fails(&building, &program, described.newer_sdk)
        .await?
    {
        if wanted.names_sdk() {
            tracing::warn!("{} does not start: {said}", wanted.spec());
        } else {
            tracing::warn!(
                "{} does not start with the newest MCP SDK ({said}); it is installed again with {OLDER_SDK}",
                wanted.spec()
            );
            work.fill(&building, &[OLDER_SDK]).await?;
            described = work.describe(&building).await?;
            program = work.program(&building, &described)?;
            added.push(OLDER_SDK.to_owned());
            if let Some(said) = work.sdk_fails(&building, &program, false).await? {
                tracing::warn!(
                    "{} does not start with {OLDER_SDK} either: {said}",
                    wanted.spec()
                );
            }
        }
    }
    let folder = building.path.file_name().unwrap_or_default();
    let folder = folder.to_string_lossy().into_owned();
    building.keep()?;
    let mut entry = Entry::new(key, described.version, folder, program);
    entry.added = added;
    Ok(entry)
}

/// The newest version that `wanted` means, by the index; `old` is the environment it is in.
pub(super) async fn newest(
    store: &Store,
    settings: &Settings,
    recipe: &Recipe,
    old: &Entry,
    deadline: Instant,
) -> Result<String, InstallError> {
    let work = Work {
        settings,
        recipe,
        wanted: &recipe.wanted,
        deadline,
    };
    work.check_guards()?;
    let venv = store.home().join(&old.folder);
    let name = recipe.wanted.name();
    let python = venv.join("bin/python");
    let version = if let Some(uv) = &recipe.tools.uv {
        let mut args = words(&["pip", "install", "--dry-run", "--no-deps", "--refresh"]);
        args.extend(work.age());
        args.extend(words(&["--reinstall-package", name, "--python"]));
        args.extend([python.display().to_string(), name.to_owned()]);
        let ended = work.tool("uv", uv, args, &venv).await?;
        planned(&ended.stderr, name)
    } else {
        let mut args = words(&["-m", "pip", "install", "--dry-run", "--no-deps"]);
        args.extend(words(&["--ignore-installed", "--report", "-", "--quiet"]));
        args.extend(words(&["--no-input", "--retries", "0", name]));
        let ended = work.tool("pip", &python, args, &venv).await?;
        let report: Option<serde_json::Value> = serde_json::from_str(&ended.stdout).ok();
        report.and_then(|report| {
            let version = &report["install"][0]["metadata"]["version"];
            version.as_str().map(str::to_owned)
        })
    };
    version.ok_or_else(|| InstallError::Tool {
        tool: "the installer",
        spec: recipe.wanted.spec(),
        said: "its answer names no version".into(),
    })
}

impl Work<'_> {
    fn check_guards(&self) -> Result<(), InstallError> {
        if self.settings.min_release_age.is_some() && self.recipe.tools.uv.is_none() {
            return Err(InstallError::Refused(
                "--min-release-age needs uv for Python packages, because pip cannot leave young \
                 releases out; install uv (https://docs.astral.sh/uv)"
                    .into(),
            ));
        }
        Ok(())
    }

    fn age(&self) -> Vec<String> {
        let age = self.settings.min_release_age;
        age.map_or_else(Vec::new, |age| words(&["--exclude-newer", &date::ago(age)]))
    }

    /// Makes the environment.
    async fn make(&self, building: &Building) -> Result<(), InstallError> {
        let folder = building.path.display().to_string();
        let tools = &self.recipe.tools;
        let ended = match (&tools.uv, &tools.python) {
            (Some(uv), _) => {
                let mut args = words(&["venv", "--quiet", "--no-project", "--allow-existing"]);
                args.push(folder);
                self.tool("uv", uv, args, &building.path).await?
            }
            (None, Some(python)) => {
                let args = vec!["-m".into(), "venv".into(), folder];
                self.tool("python3 -m venv", python, args, &building.path)
                    .await?
            }
            (None, None) => {
                return Err(InstallError::NoTool {
                    what: "uv",
                    remedy: "install uv (https://docs.astral.sh/uv) or Python 3.10 with its venv module, or name the server's own command after `--`",
                });
            }
        };
        drop(ended);
        Ok(())
    }

    /// Installs the package into the environment.
    async fn fill(&self, building: &Building, added: &[&str]) -> Result<(), InstallError> {
        let python = building.path.join("bin/python");
        let mut what = vec![self.wanted.spec()];
        what.extend(self.wanted.with().iter().cloned());
        what.extend(words(added));
        if let Some(uv) = &self.recipe.tools.uv {
            let mut args = words(&["pip", "install", "--no-progress", "--python"]);
            args.push(python.display().to_string());
            args.extend(self.age());
            args.push("--".into());
            args.extend(what);
            self.tool("uv", uv, args, &building.path).await?;
        } else {
            let mut args = words(&["-m", "pip", "install", "--quiet", "--no-input"]);
            args.extend(words(&["--disable-pip-version-check", "--"]));
            args.extend(what);
            self.tool("pip", &python, args, &building.path).await?;
        }
        Ok(())
    }

    async fn describe(&self, building: &Building) -> Result<Described, InstallError> {
        let python = building.path.join("bin/python");
        let args = words(&["-c", DESCRIBE, self.wanted.name()]);
        let ended = self.tool("python", &python, args, &building.path).await?;
        serde_json::from_str(&ended.stdout)
            .map_err(|cause| InstallError::cache(&python, &io::Error::from(cause)))
    }

    /// The console script named like the package, else the only one. A package without any may still
    /// have put a program of that name into the environment.
    fn program(&self, building: &Building, seen: &Described) -> Result<Program, InstallError> {
        let name = self.wanted.name();
        let same = |script: &&String| normal(script) == normal(name);
        let only = seen.scripts.first().filter(|_| seen.scripts.len() == 1);
        if let Some(script) = seen.scripts.iter().find(same).or(only) {
            let file = format!("bin/{script}");
            return Ok(Program::Python { file });
        }
        let file = format!("bin/{name}");
        if seen.scripts.is_empty() && building.path.join(&file).is_file() {
            return Ok(Program::Own { file });
        }
        let trouble = match seen.scripts.first() {
            None => "has no program, so it is not a server that can be run".to_owned(),
            Some(first) => format!(
                "has several programs and none is called {name}: {}; run one of them as a command \
                 (uvx --from {name} {first})",
                seen.scripts.join(", ")
            ),
        };
        Err(InstallError::NoProgram {
            spec: self.wanted.spec(),
            trouble,
        })
    }

    /// Loads the entry point, and with `trial` runs it, and says how that failed if it failed over the
    /// SDK. Any other failure may come from arguments and variables that only the server gets, and is
    /// its own affair.
    async fn sdk_fails(
        &self,
        building: &Building,
        program: &Program,
        trial: bool,
    ) -> Result<Option<String>, InstallError> {
        let Program::Python { file } = program else {
            return Ok(None);
        };
        let script = file.strip_prefix("bin/").unwrap_or(file);
        let load = words(&["-c", LOAD, self.wanted.name(), script]);
        let failed = self.look_at(building, load, LOAD_LIMIT).await?;
        if failed.is_some() || !trial {
            return Ok(failed);
        }
        let run = vec![building.path.join(file).display().to_string()];
        self.look_at(building, run, TRIAL_LIMIT).await
    }

    /// Runs Python in a folder of its own, in case something is written there.
    async fn look_at(
        &self,
        building: &Building,
        args: Vec<String>,
        limit: Duration,
    ) -> Result<Option<String>, InstallError> {
        let scratch = building.path.join("trial");
        let fault = |cause: io::Error| InstallError::cache(&building.path, &cause);
        fs::create_dir_all(&scratch).map_err(fault)?;
        let tool = Tool {
            program: &building.path.join("bin/python"),
            args,
            cwd: scratch.clone(),
            env: &self.recipe.env,
            deadline: self.deadline.min(Instant::now() + limit),
            guardian: self.settings.guardian.as_ref(),
        };
        let seen = match tool.run().await {
            Ok(ended) if !ended.success => sdk_fault(&ended.stderr),
            Ok(_) | Err(Stopped::Late) => None,
            Err(Stopped::Unstarted(cause)) => return Err(fault(cause)),
        };
        let _harmless = fs::remove_dir_all(&scratch);
        Ok(seen)
    }

    /// Runs a step that must succeed.
    async fn tool(
        &self,
        name: &'static str,
        program: &Path,
        args: Vec<String>,
        cwd: &Path,
    ) -> Result<Ended, InstallError> {
        let spec = self.wanted.spec();
        let tool = Tool {
            program,
            args,
            cwd: cwd.to_owned(),
            env: &self.recipe.env,
            deadline: self.deadline,
            guardian: self.settings.guardian.as_ref(),
        };
        match tool.run().await {
            Ok(ended) if ended.success => Ok(ended),
            Ok(ended) => Err(fault(&ended.stderr, name, spec)),
            Err(Stopped::Late) => Err(InstallError::Late {
                spec,
                limit: self.settings.timeout,
            }),
            Err(Stopped::Unstarted(cause)) => Err(InstallError::Tool {
                tool: name,
                spec,
                said: format!("it could not be started: {cause}"),
            }),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A name as the index compares it (PEP 503).
fn normal(name: &str) -> String {
    name.replace(['_', '.'], "-").to_ascii_lowercase()
}

/// The version in uv's plan: ` + name==1.2` or ` ~ name==1.2`.
fn planned(stderr: &str, name: &str) -> Option<String> {
    stderr.lines().find_map(|line| {
        let line = line.trim();
        let rest = line.strip_prefix(['+', '~'])?.trim_start();
        let (found, version) = rest.split_once("==")?;
        let version = version.split_whitespace().next()?;
        (normal(found) == normal(name)).then(|| version.to_owned())
    })
}

/// The last line of a traceback that is about importing from the SDK.
pub(super) fn sdk_fault(stderr: &str) -> Option<String> {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty())?;
    let kinds = ["ImportError", "ModuleNotFoundError", "AttributeError"];
    let import = kinds.iter().any(|kind| last.starts_with(kind));
    let about_sdk = stderr.lines().any(|line| {
        let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.any(|word| word == "mcp")
    });
    (import && about_sdk).then(|| last_words(last))
}

fn fault(stderr: &str, tool: &'static str, spec: String) -> InstallError {
    let said = last_words(stderr);
    let unreachable = [
        "NewConnectionError",
        "Retrying (",
        "Failed to fetch",
        "ConnectTimeoutError",
    ];
    let absent = [
        "not found in the package registry",
        "there is no version of",
        "No matching distribution found",
    ];
    let has = |parts: &[&str]| parts.iter().any(|part| stderr.contains(part));
    if has(&absent) && !has(&unreachable) {
        InstallError::NoSuch { spec, said }
    } else {
        InstallError::Tool { tool, spec, said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_import_is_about_the_sdk_or_is_not() {
        let sdk = "Traceback (most recent call last):\n  File \"x/mcp_server_sqlite/server.py\", line 5\n    from mcp.server.models import InitializationOptions\nImportError: cannot import name 'AnyUrl'\n";
        assert_eq!(
            sdk_fault(sdk).as_deref(),
            Some("ImportError: cannot import name 'AnyUrl'")
        );
        for other in [
            "",
            "    import mcp\nKeyError: 'API_KEY'\n",
            "    import mcp_thing\nModuleNotFoundError: No module named 'thing'\n",
        ] {
            assert_eq!(sdk_fault(other), None, "{other}");
        }
    }

    #[test]
    fn what_uv_plans_is_read() {
        let plan = "Resolved 1 package in 3ms\nWould install 1 package\n - mcp-server-time==0.6\n + mcp-server-time==0.7 (from x)\n";
        assert_eq!(planned(plan, "mcp_server.time").as_deref(), Some("0.7"));
        assert_eq!(planned(" ~ a==1\n", "a").as_deref(), Some("1"));
        assert_eq!(planned(plan, "other"), None);
    }

    #[test]
    fn a_missing_package_is_told_from_a_missing_registry() {
        for (said, is_final) in [
            ("x was not found in the package registry", true),
            (
                "Because there is no version of x==9 and you require x==9",
                true,
            ),
            ("ERROR: No matching distribution found for x", true),
            (
                "WARNING: Retrying (Retry(total=4)) after\nERROR: No matching distribution found for x",
                false,
            ),
            ("error: Failed to fetch: `http://127.0.0.1:9/x/`", false),
        ] {
            assert_eq!(
                fault(said, "pip", "x".into()).is_final(),
                is_final,
                "{said}"
            );
        }
    }
}
