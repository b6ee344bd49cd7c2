//! Any name of a package: refused, or a command in which it is a package and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_proxy::launch::package::Package;

/// Longer names are in no registry: a name, a version, and the dozen extras somebody may write.
const LONGEST: usize = 8 * 1024;

fuzz_target!(|text: &str| {
    let Ok(package) = Package::parse(text) else {
        return;
    };
    let command = package.command();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@/[],=!+*()'".contains(&byte);
    for word in &command {
        assert!(!word.is_empty() && word.len() <= LONGEST, "{word:?}");
        assert!(word.bytes().all(plain), "{word:?}");
    }
    match &package {
        Package::Npm { name, version } => {
            assert_eq!(&command[..2], ["npx", "-y"]);
            let [_, _, word] = &command[..] else {
                panic!("{command:?}")
            };
            // Neither a flag, nor a folder, nor an address.
            assert!(!word.starts_with(['-', '.', '/']), "{word:?}");
            let above = |part: &str| matches!(part, "" | "." | "..");
            assert!(!word.split('/').any(above), "{word:?}");
            let slashes = word.matches('/').count();
            assert!(slashes <= usize::from(name.starts_with('@')), "{word:?}");
            let spec = match version {
                Some(version) => format!("{name}@{version}"),
                None => name.clone(),
            };
            assert_eq!(Package::parse(&spec).as_ref(), Ok(&package));
        }
        Package::PyPi {
            name,
            extras,
            version,
        } => {
            assert_eq!(command[0], "uvx");
            assert!(!command[command.len() - 1].starts_with(['-', '.', '/']));
            assert!(command[1] == "--from" || !command[1].starts_with('-'));
            let extras = match extras.is_empty() {
                true => String::new(),
                false => format!("[{}]", extras.join(",")),
            };
            let version = version.as_ref();
            let version = version.map_or_else(String::new, |version| format!("=={version}"));
            let spec = format!("pypi:{name}{extras}{version}");
            assert_eq!(Package::parse(&spec).as_ref(), Ok(&package));
        }
        Package::Binary { name } => {
            assert_eq!(command, [name.as_str()]);
            assert!(!name.contains('/') && !name.starts_with('-'));
        }
    }
});
