//! The table agrees with our flags and with the manual.

use super::*;

#[test]
fn every_row_names_flags_that_are_there_and_hides_none_of_ours() {
    fn check(command: &clap::Command, spelling: &str, becomes: Becomes) {
        let (flag, with_value) = match becomes {
            Same(flag) | SameOr(flag, _) | Millis(flag) => (flag, true),
            Is(flag, value) => (flag, value.is_some()),
            Off(flag) => (flag, false),
            OneOf(choices) => {
                return choices
                    .iter()
                    .for_each(|(_, becomes)| check(command, spelling, *becomes));
            }
            Command | Already | Refused(_) => return,
        };
        let takes = cli::takes(command, &format!("--{flag}"));
        let expected = if with_value {
            &[One, Several][..]
        } else {
            &[Nothing]
        };
        let fits = takes.is_some_and(|takes| expected.contains(&takes));
        assert!(fits, "{spelling} becomes --{flag}");
    }
    let command = cli::command();
    for row in ROWS {
        check(&command, row.spelling, row.becomes);
        // `--stdio` is both: ours alone, theirs with a command in the word after it.
        let expected = matches!(row.becomes, Command).then_some(One);
        assert_eq!(
            cli::takes(&command, row.spelling),
            expected,
            "{} is a flag of ours",
            row.spelling
        );
        let same = ROWS.iter().filter(|other| other.spelling == row.spelling);
        assert_eq!(same.count(), 1, "{} stands there twice", row.spelling);
    }
}

#[test]
fn the_manual_says_what_becomes_of_every_row() {
    let manual = include_str!("../../../../docs/configuration.md");
    let (_, table) = manual.split_once("## Coming from another proxy").unwrap();
    for row in ROWS {
        // Flags of the other direction are told of together.
        let told = match (row.becomes, CLIENT) {
            (Refused(why), Refused(client)) if why == client => continue,
            _ => ["`", " "].map(|end| format!("`{}{end}", row.spelling)),
        };
        let found = told.iter().any(|told| table.contains(told.as_str()));
        assert!(found, "{} is not in the manual", row.spelling);
    }
}

#[test]
fn kebab_case_is_read_where_theirs_reads_it() {
    for (spelling, other) in [
        ("--sessionTimeout", "--session-timeout"),
        ("--oauth2Bearer", "--oauth2-bearer"),
        ("--stdio", "--stdio"),
        ("-H", "-H"),
    ] {
        assert_eq!(kebab(spelling), other);
        assert!(takes(spelling).is_some() && takes(other).is_some());
    }
    assert!(takes("--sessiontimeout").is_none() && takes("-h").is_none());
}
