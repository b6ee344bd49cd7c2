//! Fuzz targets of `fuzz/`, run for a while each on the nightly toolchain.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::place;
use crate::run::{self, Result, cannot};
use crate::toolchain::FUZZ;

/// Enough for a first impression of every target; a person who looks for more says so.
const SECONDS: u32 = 60;

/// Asking rustup what is installed takes no longer.
const LIST_LIMIT: Duration = Duration::from_secs(60);

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    target: Option<&'a str>,
    seconds: u32,
}

/// Runs one target, or all of them one after the other.
///
/// # Errors
/// When a target finds something, or there is no nightly toolchain.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let asked = read(arguments)?;
    let targets = targets()?;
    let chosen: Vec<&String> = targets
        .iter()
        .filter(|name| asked.target.is_none_or(|wanted| wanted == *name))
        .collect();
    if chosen.is_empty() {
        return Err(format!(
            "there is no such target; there are {}",
            targets.join(", ")
        ));
    }
    let toolchains = run::read(
        Command::new("rustup").args(["toolchain", "list"]),
        LIST_LIMIT,
    )?;
    if !toolchains.contains("nightly") {
        return Err("libFuzzer needs a nightly compiler: rustup toolchain install nightly".into());
    }
    let program = FUZZ.program()?;
    for target in chosen {
        let mut fuzz = Command::new(&program);
        fuzz.args(["run", target, "--target-dir"])
            .arg(place::target().join("fuzz"))
            .args(["--", "-dict=fuzz/mcp.dict"])
            .arg(format!("-max_total_time={}", asked.seconds))
            .current_dir(place::root())
            .env("RUSTUP_TOOLCHAIN", "nightly");
        run::show(&mut fuzz)?;
    }
    Ok(())
}

fn read<'a>(arguments: &[&'a str]) -> Result<Asked<'a>> {
    let mut asked = Asked {
        target: None,
        seconds: SECONDS,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if *argument == "--seconds" {
            let number = rest.next().and_then(|number| number.parse().ok());
            asked.seconds = number.ok_or("--seconds wants a number")?;
        } else if argument.starts_with('-') || asked.target.is_some() {
            return Err(format!(
                "fuzz takes one target and --seconds N, not {argument}"
            ));
        } else {
            asked.target = Some(argument);
        }
    }
    Ok(asked)
}

/// The names of the targets, one for each file of `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>> {
    let folder = place::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|err| cannot("read", &folder, &err))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.display().to_string()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_a_time_are_read_in_any_order() {
        let expected = Asked {
            target: Some("sse"),
            seconds: 5,
        };
        assert_eq!(read(&["sse", "--seconds", "5"]).unwrap(), expected);
        assert_eq!(read(&["--seconds", "5", "sse"]).unwrap(), expected);
        assert_eq!(
            read(&[]).unwrap(),
            Asked {
                target: None,
                seconds: SECONDS
            }
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            &["--seconds"][..],
            &["--seconds", "soon"],
            &["a", "b"],
            &["--jobs"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
