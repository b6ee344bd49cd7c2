//! Standard input, cut into lines by a thread of its own.

use std::io::{ErrorKind, Read as _};
use std::thread;

use mcp_wire::{CHUNK, Line, LineSplitter};
use tokio::sync::mpsc;

/// Lines that came together, in order. The channel ends with the input.
///
/// One place: what is read is not more than one line and one read ahead of what is heard, and a client
/// that writes faster waits at its pipe.
pub(super) fn start(max_line: usize) -> mpsc::Receiver<Vec<Line>> {
    let (sender, receiver) = mpsc::channel(1);
    let reading = thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || read(max_line, &sender));
    if let Err(error) = reading {
        // The sender is gone with it, so to the front the input has ended.
        tracing::error!(%error, "could not read standard input");
    }
    receiver
}

fn read(max_line: usize, sender: &mpsc::Sender<Vec<Line>>) {
    let mut stdin = std::io::stdin().lock();
    let mut splitter = LineSplitter::new(max_line);
    // Read into by the system and copied from: the splitter's own room is not initialised, and only
    // `unsafe` could hand it out.
    let mut chunk = vec![0; CHUNK];
    loop {
        match stdin.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => splitter.buffer().extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::warn!(%error, "could not read standard input");
                break;
            }
        }
        let lines: Vec<Line> = std::iter::from_fn(|| splitter.next()).collect();
        if !lines.is_empty() && sender.blocking_send(lines).is_err() {
            return;
        }
    }
    if let Some(line) = splitter.finish() {
        let _nobody_hears = sender.blocking_send(vec![line]);
    }
}
