//! The one conversion from what was typed to what it means.

use std::ffi::OsString;
use std::time::Duration;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::policy::tools::ToolRules;

use super::authority::normal_host;
use super::cli::{self, Typed};
use super::env::Strings;
use super::faults::{Notes, Stop};
use super::machine::{Machine, ThisMachine};
use super::meaning::{ChildEra, ChildMode, Config, Limits, Listen, Times};
use super::pick::Picker;
use super::{
    access, argv, bounds, door, family, idle, install, lasting, log, named, paths, print, server,
    stdio, translation, verbs,
};

/// A wait of no length would be over before it began.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Comments more often than once a second would cost more than the stream they keep open.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// In bytes. Below this not even an `initialize` with a few capabilities fits.
const SMALLEST_MESSAGE: usize = 1024;

impl Config {
    /// Reads the command line (`argv`, the program's own name first) and the environment, on this
    /// machine.
    ///
    /// # Errors
    ///
    /// [`Stop::Faults`] with everything that is wrong, or [`Stop::Told`] when help or the version
    /// was asked for, or [`Stop::Errand`] when packages are to be installed.
    pub fn read(argv: Vec<OsString>, env: &dyn Strings) -> Result<Self, Stop> {
        Self::read_on(argv, env, &ThisMachine)
    }

    /// [`Config::read`] with the machine passed in: a pure function.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn read_on(
        argv: Vec<OsString>,
        env: &dyn Strings,
        machine: &dyn Machine,
    ) -> Result<Self, Stop> {
        let mut pick = Picker {
            env,
            notes: Notes::default(),
            translated: family::Translated::default(),
        };
        let mut words = words(argv, &mut pick.notes);
        let flags = cli::command();
        let installing = words.first().is_some_and(|word| word == verbs::INSTALL);
        if installing {
            words.remove(0);
        } else if let Some(stop) = verbs::told(&flags, &words) {
            return Err(stop);
        }
        let cut = argv::cut(words, |flag| {
            cli::takes(&flags, flag).or_else(|| family::takes(flag))
        });
        let before = pick.notes.count();
        pick.translated = family::translate(&flags, cut.flags, &mut pick.notes);
        let untranslated = pick.notes.count() > before;
        let before = pick.notes.count();
        let words = pick.translated.flags.clone();
        let typed = typed(&flags, words, &mut pick.notes)?;
        let clear = pick.notes.count() == before;
        if installing {
            let log = log::read(&mut pick, &typed);
            let errand = install::errand(&mut pick, &typed, cut.command, log, machine);
            return Err(errand);
        }
        let origin = server::Origin::of(&pick, &cut.command);

        let (cache, install) = install::settings(&mut pick, &typed, machine);
        let prewarm = install::prewarm(&mut pick, &typed, install.as_ref(), machine);
        let listen = listen(&mut pick, &typed);
        let stdio = stdio::read(&mut pick, &typed, &flags);
        // After a misspelt flag its value looks like the command. A fault about that would only
        // distract; with `--` the command is certain.
        // Nor is a server missed where a flag that names one was refused, or where others are named.
        let surroundings = server::surroundings(&mut pick, &typed, install.is_some());
        let alone = origin.is_none();
        let named = named::read(&mut pick, &typed, &surroundings, alone, machine);
        let is_named = named::is_asked_for(&pick, &typed);
        let server = if alone && is_named {
            named::without_default(&mut pick, &typed, &surroundings);
            None
        } else if alone && untranslated {
            None
        } else if clear || cut.marked || cut.command.is_empty() {
            server::read(&mut pick, &typed, &surroundings, cut.command, machine)
        } else {
            None
        };
        let modes = [
            ("session", ChildMode::Session),
            ("shared", ChildMode::Shared),
        ];
        let child_mode = pick.choice(
            "child-mode",
            typed.child_mode.as_ref(),
            ChildMode::Session,
            &modes,
        );
        let eras = [
            ("auto", ChildEra::Auto),
            ("legacy", ChildEra::Legacy),
            ("modern", ChildEra::Modern),
            ("dual", ChildEra::Dual),
        ];
        let child_era = pick.choice("child-era", typed.child_era.as_ref(), ChildEra::Auto, &eras);
        let (on_child_exit, state_dir) = lasting::read(&mut pick, &typed);
        let state_dir = state_dir.filter(|_| !stdio);
        let stateless = pick.switch("stateless", typed.stateless) && !stdio;
        if stateless && child_mode == ChildMode::Shared {
            pick.notes.warn(
                "--stateless with --child-mode shared has one server for every principal; without \
                 the latter each has its own",
            );
        }
        let eager = pick.switch("eager", typed.eager);
        let exit_on_failure = pick.switch("exit-on-failure", typed.exit_on_failure);
        let machine_name = machine_name(&mut pick);
        let idle = idle::read(&mut pick, &typed);
        let translation = translation::read(&mut pick, &typed);
        let door = door::read(&mut pick, &typed, &listen, machine);
        let limits = limits(&mut pick, &typed);
        let bounds = bounds::read(&mut pick, &typed.bounds, &limits);
        let audit = log::audit(&mut pick, &typed);
        let tools = tools(&mut pick, &typed);
        let issuer = door.as_ref().and_then(|door| door.issuer.as_ref());
        let tool_scopes = access::tool_scopes(&mut pick, &typed.access, issuer);
        let own = access::own(&mut pick, &typed.access, child_mode, machine);
        let times = times(&mut pick, &typed);
        let log = log::read(&mut pick, &typed);
        #[cfg(feature = "otlp")]
        let otlp = super::otlp::read(&mut pick, &log.labels);
        unknown_variables(&mut pick);

        let notes = std::mem::take(&mut pick.notes);
        let warnings = notes.settle()?;
        let Some(door) = door else {
            unreachable!("a missing door always comes with a fault, and there was none");
        };
        let mut config = Self {
            settings: print::Settings::default(),
            listen,
            stdio,
            server,
            named,
            child_mode,
            child_era,
            on_child_exit,
            state_dir,
            stateless,
            eager,
            translation,
            exit_on_failure,
            machine: machine_name,
            cache,
            install,
            prewarm,
            idle,
            door,
            audit,
            #[cfg(feature = "otlp")]
            otlp,
            tools,
            tool_scopes,
            own,
            limits,
            times,
            bounds,
            log,
            warnings,
        };
        config.settings = print::settings(&flags, &pick, origin, &config);
        if typed.print_config {
            return Err(Stop::Told(print::told(&pick, &config)));
        }
        Ok(config)
    }
}

/// The longest name a machine may have: that of a DNS label.
const LONGEST_MACHINE_NAME: usize = 63;

/// A name stands in a header and before a dot, and routes requests: it is kept plain.
fn machine_name(pick: &mut Picker<'_>) -> Option<String> {
    let picked = pick.variable("MCP_PROXY_MACHINE")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if picked.text.len() > LONGEST_MACHINE_NAME || !picked.text.bytes().all(plain) {
        pick.notes.fault(format!(
            "{}: a machine's name is up to {LONGEST_MACHINE_NAME} letters, digits, `-` and `_`",
            picked.source
        ));
        return None;
    }
    Some(picked.text)
}

/// The words after the program's name. One that is not UTF-8 could only be passed on damaged.
fn words(argv: Vec<OsString>, notes: &mut Notes) -> Vec<String> {
    let numbered = argv.into_iter().enumerate().skip(1);
    let text = numbered.map(|(position, word)| {
        word.into_string().unwrap_or_else(|word| {
            let word = word.to_string_lossy().into_owned();
            notes.fault(format!(
                "word {position} of the command line is not UTF-8: {word:?}"
            ));
            word
        })
    });
    text.collect()
}

/// The flags as clap reads them. A flag it refuses is noted and taken out, and the rest is read
/// again, so that one typo does not hide the next.
fn typed(
    command: &clap::Command,
    mut flags: Vec<String>,
    notes: &mut Notes,
) -> Result<Typed, Stop> {
    loop {
        let matches = command.clone().try_get_matches_from(&flags);
        let error = match matches.and_then(|matches| Typed::from_arg_matches(&matches)) {
            Ok(typed) => return Ok(typed),
            Err(error) => error,
        };
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ) {
            return Err(Stop::Told(error.render().to_string()));
        }
        let context = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
            _ => None,
        };
        // clap adds the value's name to a flag it knows: `--port <PORT>`, `-e, --env <KEY=VALUE>`.
        let named = context(ContextKind::InvalidArg).unwrap_or_default();
        let name = named.split([' ', '=', ',']).next().unwrap_or_default();
        let near = context(ContextKind::SuggestedArg);
        notes.fault(match (error.kind(), near) {
            (ErrorKind::UnknownArgument, Some(near)) => {
                format!("{name} is not a flag of mcp-proxy; did you mean {near}?")
            }
            (ErrorKind::UnknownArgument, None) => format!(
                "{name} is not a flag of mcp-proxy; flags of the server go after its command"
            ),
            (ErrorKind::InvalidValue, _) => format!("{name} needs a value"),
            (ErrorKind::TooManyValues, _) => format!("{name} is a switch and takes no value"),
            _ => format!("{name} cannot be read as it stands"),
        });
        let is_it = |flag: &String| {
            let typed = flag.split('=').next().unwrap_or_default();
            typed == name || (!typed.starts_with("--") && typed.starts_with(name))
        };
        match flags.iter().position(is_it) {
            Some(position) if !name.is_empty() => drop(flags.remove(position)),
            // Nothing to take out: what was understood so far is all there will be.
            _ => return Ok(Typed::default()),
        }
    }
}

fn listen(pick: &mut Picker<'_>, typed: &Typed) -> Listen {
    let mut listen = Listen {
        host: "127.0.0.1".into(),
        port: 8080,
        mcp_path: paths::mcp(pick, typed),
    };
    let host = pick
        .text("host", typed.host.as_ref())
        .or_else(|| pick.variable("HOST"));
    if let Some(picked) = host {
        match normal_host(&picked.text) {
            Some(host) => listen.host = host,
            None => pick.wrong(
                &picked,
                "neither an IP address nor a host name (--port sets the port)",
            ),
        }
    }
    let port = pick
        .text("port", typed.port.as_ref())
        .or_else(|| pick.variable("PORT"));
    if let Some(picked) = port {
        match picked.text.trim().parse() {
            Ok(port) => listen.port = port,
            Err(_) => pick.wrong(&picked, "not a port (0 to 65535)"),
        }
    }
    listen
}

/// Which tools clients have.
fn tools(pick: &mut Picker<'_>, typed: &Typed) -> ToolRules {
    let globs = |flag, typed: &[String]| {
        let picked = pick.list(flag, typed).into_iter();
        picked.map(|picked| picked.text).collect()
    };
    ToolRules {
        allow: globs("allow-tool", &typed.allow_tool),
        deny: globs("deny-tool", &typed.deny_tool),
        read_only: pick.switch("read-only", typed.read_only),
    }
}

fn limits(pick: &mut Picker<'_>, typed: &Typed) -> Limits {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;
    let least = SMALLEST_MESSAGE;
    let limits = Limits {
        // Tool arguments are small; a pasted document fits.
        max_body: pick.size(
            "max-body-size",
            typed.max_body_size.as_ref(),
            4 * MIB,
            least,
        ),
        // Results carry images and files in base64, a few MiB each; this also bounds what one
        // runaway server can make us hold.
        max_line: pick.size(
            "max-line-size",
            typed.max_line_size.as_ref(),
            32 * MIB,
            least,
        ),
        // Four of the longest requests, for a server that is busy.
        max_queued: pick.size(
            "max-queued-size",
            typed.max_queued_size.as_ref(),
            16 * MIB,
            least,
        ),
        // Two of the longest lines: one being written, one behind it.
        outlet_bytes: pick.size("outlet-bytes", typed.outlet_bytes.as_ref(), 64 * MIB, least),
        // Some hundred notifications; 0 keeps nothing.
        replay_bytes: pick.size("replay-bytes", typed.replay_bytes.as_ref(), 256 * KIB, 0),
        // With their replay rings full these are 250 MiB.
        max_sessions: pick.count("max-sessions", typed.max_sessions.as_ref(), 1000),
        // Node servers take 70 MB each: this is what a machine of 8 GB holds.
        max_children: pick.count("max-children", typed.max_children.as_ref(), 64),
        // Sixteen clients with sixteen requests each.
        max_starting: pick.count("max-starting", typed.bounds.max_starting.as_ref(), 256),
        // Four for each session; the system's limit on descriptors is often not far above.
        max_connections: pick.count(
            "max-connections",
            typed.bounds.max_connections.as_ref(),
            4096,
        ),
    };
    if limits.max_queued < limits.max_body {
        pick.notes.fault(
            "--max-queued-size is less than --max-body-size, so the longest request could never \
             reach the server; raise the first or lower the second",
        );
    }
    limits
}

fn times(pick: &mut Picker<'_>, typed: &Typed) -> Times {
    let seconds = Duration::from_secs;
    let none = Duration::ZERO;
    let short = SHORTEST_WAIT;
    Times {
        // A cold `npx` or `uvx` downloads for ten seconds or more.
        start: pick.duration(
            "start-timeout",
            typed.start_timeout.as_ref(),
            seconds(60),
            short,
        ),
        request: pick.duration(
            "request-timeout",
            typed.request_timeout.as_ref(),
            seconds(300),
            short,
        ),
        session_idle: pick.duration(
            "session-idle-timeout",
            typed.session_idle_timeout.as_ref(),
            seconds(30 * 60),
            short,
        ),
        child_idle: lasting::child_idle(pick, typed),
        // A server that watches its input ends within milliseconds; two seconds let it finish
        // writing what it holds. Five more are what supervisors commonly give, and with them the
        // ladder fits into the ten that container platforms give us as a whole.
        close_wait: pick.duration("close-wait", typed.close_wait.as_ref(), seconds(2), none),
        term_wait: pick.duration("term-wait", typed.term_wait.as_ref(), seconds(5), none),
        // The grace most platforms give is 10 to 30 s; the ladder of the children comes after.
        drain: pick.duration(
            "drain-timeout",
            typed.drain_timeout.as_ref(),
            seconds(10),
            none,
        ),
        // Middle boxes close streams that are silent for 30 or 60 s.
        keep_alive: pick.duration(
            "keep-alive",
            typed.keep_alive.as_ref(),
            seconds(15),
            SHORTEST_KEEP_ALIVE,
        ),
        silence: pick.duration("silence", typed.silence.as_ref(), seconds(10), none),
    }
}

/// Warns of variables that look like ours and are not read, naming the nearest that is.
fn unknown_variables(pick: &mut Picker<'_>) {
    /// More slips of the finger than this, and it is another word.
    const MOST_SLIPS: usize = 3;
    let known = cli::variables();
    for (name, value) in pick.env.all() {
        if let Some(why) = family::refused_variable(&name).filter(|_| !value.is_empty()) {
            pick.notes.fault(format!("{name}: {why}"));
            continue;
        }
        if !name.starts_with("MCP_PROXY_") || known.contains(&name) {
            continue;
        }
        let near = known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, &name), known))
            .filter(|(slips, _)| *slips <= MOST_SLIPS)
            .min();
        pick.notes.warn(match near {
            Some((_, near)) => format!("the variable {name} is not known; did you mean {near}?"),
            None => format!("the variable {name} is not known and has no effect"),
        });
    }
}
