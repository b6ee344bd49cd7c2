//! The certificate of this moment, read again when its files change.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;

use crate::config::{Machine as _, ThisMachine, TlsFiles, server_config};
use crate::guard::refresh::Reload;

/// How TLS is spoken, as of now.
pub struct Tls {
    files: TlsFiles,
    now: RwLock<Arc<ServerConfig>>,
    last: Mutex<Seen>,
}

/// What the files held when they were looked at last, or why they could not be read.
type Seen = Result<(String, String), String>;

/// Shows where it comes from.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with them. `config` has found them good a moment ago.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, String> {
        let seen = look(files);
        let now = understand(&seen)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            now: RwLock::new(now),
            last: Mutex::new(seen),
        }))
    }

    /// For the next connection. Those that are open keep what they began with.
    #[must_use]
    pub fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.now.read())
    }
}

impl Reload for Tls {
    /// Files that do not fit each other change nothing: they are two, and one is written first.
    fn reload(&self) {
        let seen = look(&self.files);
        let mut last = self.last.lock();
        if *last == seen {
            return;
        }
        match understand(&seen) {
            Ok(config) => {
                *self.now.write() = config;
                tracing::info!(files = ?self.files, "the certificate was read again");
            }
            Err(why) => tracing::warn!("the certificate stays as it was: {why}"),
        }
        *last = seen;
    }
}

fn look(files: &TlsFiles) -> Seen {
    let read = |path| {
        let text = ThisMachine.read_text(path);
        text.map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    Ok((read(&files.cert)?, read(&files.key)?))
}

fn understand(seen: &Seen) -> Result<Arc<ServerConfig>, String> {
    let (cert, key) = seen.as_ref().map_err(Clone::clone)?;
    server_config(cert, key).map_err(|fault| {
        let flag = if fault.is_of_certificate() {
            "--tls-cert"
        } else {
            "--tls-key"
        };
        format!("{flag}: {fault}")
    })
}
