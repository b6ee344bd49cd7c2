//! How much memory Node.js is told it may use.
//!
//! V8 sizes its heap by the machine's memory, not by the container's, and is killed where it could
//! have collected. So under a limit of its control group a server gets `--max-old-space-size`,
//! unless the person chose one.

use std::fs;
use std::path::Path;

const MIB: u64 = 1024 * 1024;

/// The share of the limit given to the heap, in percent. The rest is for buffers, code, stacks and
/// the proxy itself.
const HEAP_PERCENT: u64 = 60;

/// The limit of this process's control group in bytes, where there is one and it is less than what
/// the machine has. `root` is `/`; tests pass another.
#[must_use]
pub fn memory_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    let least = groups
        .lines()
        .filter_map(|line| {
            // `0::/path` is version 2, `4:memory:/path` version 1 (cgroups(7)).
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            if controllers.is_empty() {
                least_up(&mounts, path, "memory.max")
            } else if controllers.split(',').any(|name| name == "memory") {
                least_up(&mounts.join("memory"), path, "memory.limit_in_bytes")
            } else {
                None
            }
        })
        .min()?;
    let total = total(&fs::read_to_string(root.join("proc/meminfo")).ok()?)?;
    (least < total).then_some(least)
}

/// The least limit of a group and those above it. A group that cannot be seen from inside a container
/// is passed over; the mount's root then is the container's own.
fn least_up(mount: &Path, group: &str, file: &str) -> Option<u64> {
    let group = mount.join(group.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|folder| folder.starts_with(mount))
        .filter_map(|folder| {
            let text = fs::read_to_string(folder.join(file)).ok()?;
            // `max` is no limit.
            text.trim().parse().ok()
        })
        .min()
}

/// What there is for this process in bytes: what the machine has, or its control group's limit.
/// `root` is `/`; tests pass another.
#[must_use]
pub fn memory(root: &Path) -> Option<u64> {
    memory_limit(root).or_else(|| total(&fs::read_to_string(root.join("proc/meminfo")).ok()?))
}

/// `MemTotal` in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// `NODE_OPTIONS` for a server under this limit, beside what it has; `None` to leave it as it is.
#[must_use]
pub fn node_options(existing: Option<&str>, limit: Option<u64>) -> Option<String> {
    let existing = existing.unwrap_or_default().trim();
    // Node reads both spellings, and a share in percent.
    if existing.replace('_', "-").contains("--max-old-space-size") {
        return None;
    }
    let heap = (limit? / 100 * HEAP_PERCENT / MIB).max(1);
    let option = format!("--max-old-space-size={heap}");
    Some(if existing.is_empty() {
        option
    } else {
        format!("{existing} {option}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_is_chosen_only_where_there_is_a_limit_and_no_choice() {
        let limit = Some(512 * MIB);
        for (existing, limit, options) in [
            (None, None, None),
            (None, limit, Some("--max-old-space-size=307")),
            (Some(""), limit, Some("--max-old-space-size=307")),
            (
                Some("--enable-source-maps"),
                limit,
                Some("--enable-source-maps --max-old-space-size=307"),
            ),
            (Some("--max-old-space-size=64"), limit, None),
            (Some("--max_old_space_size=64"), limit, None),
            (Some("--max-old-space-size-percentage=50"), limit, None),
        ] {
            assert_eq!(node_options(existing, limit).as_deref(), options);
        }
    }

    #[test]
    fn limits_are_found_in_both_versions() {
        let none: Option<u64> = None;
        for (name, groups, files, limit) in [
            (
                "v2",
                "0::/a/b\n",
                &[
                    ("sys/fs/cgroup/a/memory.max", "1048576\n"),
                    ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ][..],
                Some(MIB),
            ),
            (
                "v1",
                "4:cpu,memory:/x\n0::/\n",
                &[("sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n")],
                Some(2 * MIB),
            ),
            (
                "unlimited",
                "4:memory:/\n",
                &[(
                    "sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712\n",
                )],
                none,
            ),
            ("none", "1:cpu:/\n", &[], none),
        ] {
            let root =
                std::env::temp_dir().join(format!("mcp-limit-{}-{name}", std::process::id()));
            let all = [
                ("proc/self/cgroup", groups),
                ("proc/meminfo", "MemTotal:    8388608 kB\n"),
            ];
            for (file, text) in all.iter().chain(files) {
                let file = root.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            assert_eq!(memory_limit(&root), limit, "{name}");
            fs::remove_dir_all(&root).unwrap();
        }
    }
}
