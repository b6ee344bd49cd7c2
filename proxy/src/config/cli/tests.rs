//! The flags beside their description, and beside the manual.

use super::*;

#[test]
fn clap_accepts_the_description() {
    command().debug_assert();
}

#[test]
fn the_manual_and_the_example_file_name_every_flag_variable_and_default() {
    let manual = include_str!("../../../../README.md");
    let example = include_str!("../../../../.env.example");
    for arg in command().get_arguments().filter(|arg| !arg.is_hide_set()) {
        let flag = arg.get_long().unwrap();
        let row = manual
            .lines()
            .find(|line| {
                line.starts_with('|')
                    && (line.contains(&format!("`--{flag}`"))
                        || line.contains(&format!("`--{flag} ")))
            })
            .unwrap_or_else(|| panic!("--{flag} has no row in README.md"));
        let help = arg.get_help().unwrap().to_string();
        if let Some((_, rest)) = help.split_once("[default: ") {
            let default = rest.split_once(']').unwrap().0;
            assert!(
                row.contains(default),
                "the row of --{flag} does not say {default}"
            );
        }
        if !WITHOUT_VARIABLE.contains(&flag) {
            assert!(row.contains(&format!("`{}`", variable(flag))), "{row}");
        }
    }
    for variable in variables() {
        assert!(
            manual.contains(&format!("`{variable}`")),
            "manual: {variable}"
        );
        assert!(
            example.contains(&format!("\n# {variable}=")),
            "example: {variable}"
        );
    }
}

#[test]
fn help_is_grouped_and_shows_defaults_and_examples() {
    let help = command().render_help().to_string();
    for part in [
        "Listening:",
        "The server:",
        "Packages:",
        "Who may come in:",
        "Times:",
        "Limits:",
        "Log:",
        "MCP_PROXY_MAX_BODY_SIZE",
        "[default: 4MiB]",
        "mcp-proxy -- npx -y",
    ] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(
        !help.contains("--auth-token <"),
        "a refused flag is not advertised"
    );
}

#[test]
fn flags_know_how_many_words_they_take() {
    let command = command();
    for (flag, words) in [
        ("-e", Some(Takes::Pair)),
        ("--env", Some(Takes::Pair)),
        ("--named-server", Some(Takes::Pair)),
        ("--named-server-config", Some(Takes::One)),
        ("--allow-origin", Some(Takes::Several)),
        ("--allow-host", Some(Takes::One)),
        ("--port", Some(Takes::One)),
        ("--eager", Some(Takes::Nothing)),
        ("-h", Some(Takes::Nothing)),
        ("-y", None),
        ("-ee", None),
        ("-", None),
        ("--", None),
        ("--prot", None),
    ] {
        assert_eq!(takes(&command, flag), words, "{flag}");
    }
}
