//! What was typed and what it means.
//!
//! `cli` and `env` hold what a person wrote, [`Config`] holds what the program does about it, and
//! there is one conversion between them: [`Config::read`], a pure function of the command line,
//! the environment and a [`Machine`]. Every fault is found before any is reported. Nothing in this
//! room opens a socket or starts a process, and nothing outside it reads the environment.

mod access;
mod argv;
pub mod authority;
mod bounds;
mod certificate;
mod child_env;
mod cli;
mod credentials;
mod door;
pub mod duration;
pub mod env;
mod family;
mod faults;
mod idle;
mod install;
mod lasting;
mod log;
mod machine;
mod meaning;
mod named;
mod network;
#[cfg(feature = "otlp")]
mod otlp;
mod paths;
mod pick;
mod print;
mod read;
mod roster;
mod scope;
mod secret;
mod server;
pub mod size;
mod stdio;
#[cfg(test)]
mod tests;
mod translation;
mod verbs;

pub use access::{Issuer, Own};
pub use bounds::{Bounds, least};
pub use certificate::{Certificate, CertificateFault, Pair};
pub use credentials::{CredentialsFile, Entries, HeaderVariable, parse as parse_credentials};
pub use env::Strings;
pub use faults::{Errand, Faults, Stop};
pub use machine::{MAX_FILE_BYTES, Machine, ThisMachine};
pub use meaning::{
    ChildEra, ChildMode, Config, Door, FlyMachine, Idle, IdleAction, Limits, Listen, Log,
    LogFormat, LogLevel, OnChildExit, Server, Times, TokenPolicy, Translation,
};
pub use named::{Named, NamedFile, NamedServer, Reading};
pub use network::{Network, Rate};
pub use print::{Setting, Settings};
pub use roster::{Holder, Roster, RosterFault, UNNAMED};
pub use scope::{Scope, ToolScope};
pub use secret::{MAX_SECRET_BYTES, SHORT_SECRET_BYTES, Secret, SecretFault};
pub use translation::StateKeys;
