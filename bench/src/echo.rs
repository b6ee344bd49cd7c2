//! `echo`: the fastest sensible stdio server.
//!
//! No runtime and no threads: it blocks on its input, answers every line that came, one write
//! for each, and blocks again.

use std::fs::File;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::AsFd as _;

use crate::answer::Answers;

/// What one read may bring: as much as a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// Answers until its input ends.
///
/// # Errors
/// When its input or output breaks.
pub(crate) fn serve(mut answers: Answers) -> io::Result<()> {
    let mut input = io::stdin().lock();
    // As a file: the standard library's output looks for line ends, and what is written here is
    // always a whole line.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut pending = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let count = input.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&chunk[..count]);
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &pending[start..]) {
            if let Some(answer) = answers.to(&pending[start..start + length]) {
                write(&mut output, [&answer.head, &answer.tail, b"\n"])?;
            }
            start += length + 1;
        }
        pending.drain(..start);
    }
}

/// Writes pieces in as few calls as the pipe lets them.
fn write(output: &mut File, pieces: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = pieces.map(IoSlice::new);
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match output.write_vectored(left)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => IoSlice::advance_slices(&mut left, count),
        }
    }
    Ok(())
}
