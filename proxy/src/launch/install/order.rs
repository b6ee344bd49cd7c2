//! `mcp-proxy install PKG…`, and what `--prewarm` installs beside the server's own package.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::{InstallError, Installed, Recipe, Settings, provide};

/// Between two drawings of the line that shows progress.
const REDRAW: Duration = Duration::from_millis(200);

/// The width of the bar.
const CELLS: usize = 20;

/// Packages to install, as `mcp-proxy install` was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// How.
    pub settings: Settings,
    /// What, one after the other, so that one bad package spoils no other.
    pub recipes: Vec<Recipe>,
}

impl Order {
    /// Installs everything and gives what is to be printed on standard output, a line for each package
    /// that is there now, and whether all are. Progress and failures go to standard error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the installer; packages that are done stay.
    pub async fn follow(&self) -> (String, bool) {
        let mut told = String::new();
        let mut all = true;
        for (done, recipe) in self.recipes.iter().enumerate() {
            match self.one(done, recipe).await {
                Ok(installed) => {
                    let added = installed.added.iter().map(|more| format!(" with {more}"));
                    let added: String = added.collect();
                    told.push_str(&format!(
                        "{} {}{added}\t{}\n",
                        installed.name,
                        installed.version,
                        shell_words::join(&installed.command)
                    ));
                }
                Err(error) => {
                    all = false;
                    line(&format!("{} was not installed: {error}\n", recipe.wanted));
                }
            }
        }
        (told, all)
    }

    async fn one(&self, done: usize, recipe: &Recipe) -> Result<Installed, InstallError> {
        let name = recipe.wanted.spec();
        let terminal = std::io::stderr().is_terminal();
        if !terminal {
            line(&format!("installing {name}\n"));
        }
        let since = Instant::now();
        let provided = provide(&self.settings, recipe);
        tokio::pin!(provided);
        let mut redraw = tokio::time::interval(REDRAW);
        let provided = loop {
            tokio::select! {
                provided = &mut provided => break provided,
                _ = redraw.tick(), if terminal => {
                    line(&bar(done, self.recipes.len(), &name, since.elapsed()));
                }
            }
        };
        if terminal {
            // Erased, for what comes next on this line.
            line("\r\x1b[K");
        }
        if let Ok(installed) = &provided {
            let how = if installed.cached {
                "is in the cache".to_owned()
            } else {
                format!("installed in {:.1}s", since.elapsed().as_secs_f32())
            };
            line(&format!("{} {} {how}\n", installed.name, installed.version));
        }
        provided
    }
}

/// One line that shows how far things are: packages that are done, the one in progress, its time.
fn bar(done: usize, all: usize, name: &str, spent: Duration) -> String {
    let full = done * CELLS / all.max(1);
    // What is in progress moves, so that a long installation is seen to live.
    let moving = (spent.as_millis() / REDRAW.as_millis()) as usize % (CELLS - full).max(1);
    let cell = |cell: usize| match cell {
        cell if cell < full => '=',
        cell if cell == full + moving => '>',
        _ => ' ',
    };
    let cells: String = (0..CELLS).map(cell).collect();
    format!(
        "\r\x1b[K[{cells}] {}/{all} {name} {}s",
        done + 1,
        spent.as_secs()
    )
}

/// Writes to standard error. Whoever closed it does not want to know.
fn line(text: &str) {
    let mut stderr = std::io::stderr();
    let _closed = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Installs packages one after the other in the background; one that fails is only warned of.
///
/// # Cancel safety
///
/// Dropping the future kills the installer; packages that are done stay.
pub async fn prewarm(order: Order) {
    for recipe in &order.recipes {
        let spec = recipe.wanted.spec();
        match provide(&order.settings, recipe).await {
            Ok(installed) if installed.cached => {
                tracing::debug!("{spec} {} is in the cache", installed.version);
            }
            Ok(installed) => tracing::info!("{spec} {} is installed", installed.version),
            Err(error) => tracing::warn!("{spec} was not installed ahead: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_what_is_done_and_moves() {
        let shown = |millis| bar(1, 2, "x", Duration::from_millis(millis));
        assert_eq!(shown(0), "\r\x1b[K[==========>         ] 2/2 x 0s");
        assert_eq!(shown(1_000), "\r\x1b[K[==========     >    ] 2/2 x 1s");
        assert_eq!(bar(0, 1, "x", Duration::ZERO).matches('>').count(), 1);
    }
}
