//! The certificate of this moment, read again when its files change.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;

use crate::config::{Certificate, Machine as _, Pair, ThisMachine};
use crate::guard::refresh::{Reload, is_read_once};

/// How TLS is spoken, as of now.
#[derive(Debug)]
pub struct Tls {
    now: RwLock<Certificate>,
    /// What the files held when they were looked at last, or why they could not be read.
    last: Mutex<Result<[u8; 32], String>>,
}

impl Tls {
    /// As the files were when the configuration was read.
    #[must_use]
    pub fn new(certificate: &Certificate) -> Arc<Self> {
        Arc::new(Self {
            now: RwLock::new(certificate.clone()),
            last: Mutex::new(Ok(certificate.pair.digest)),
        })
    }

    /// For the next connection. Those that are open keep what they began with.
    #[must_use]
    pub fn now(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.now.read().pair.server)
    }
}

impl Reload for Tls {
    /// Files that do not fit each other change nothing: they are two, and one is written first.
    fn reload(&self) {
        let Certificate { cert, key, .. } = self.now.read().clone();
        if is_read_once(&cert) || is_read_once(&key) {
            return;
        }
        let texts = read(&cert).and_then(|cert| Ok((cert, read(&key)?)));
        let seen = match &texts {
            Ok((cert, key)) => Ok(Pair::digest(cert, key)),
            Err(why) => Err(why.clone()),
        };
        let before = std::mem::replace(&mut *self.last.lock(), seen.clone());
        if before == seen {
            return;
        }
        let pair = texts.and_then(|(cert, key)| {
            Pair::read(&cert, &key).map_err(|fault| {
                let flag = if fault.is_of_certificate() {
                    "--tls-cert"
                } else {
                    "--tls-key"
                };
                format!("{flag}: {fault}")
            })
        });
        match pair {
            Ok(pair) => {
                self.now.write().pair = pair;
                tracing::info!(?cert, "the certificate was read again");
            }
            Err(why) => tracing::warn!("the certificate stays as it was: {why}"),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let text = ThisMachine.read_text(path);
    text.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
