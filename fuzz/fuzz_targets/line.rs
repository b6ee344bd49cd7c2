//! Any bytes in any chunks: the same lines as the standard library's own splitting, over a limit or not.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_wire::{Line, LineSplitter, TOO_LONG_HEAD};

fuzz_target!(|input: (u16, Vec<u8>, &[u8])| {
    let (limit, lengths, text) = input;
    let limit = usize::from(limit);
    let expected: Vec<Line> = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .map(|line| match line.len() > limit {
            true => {
                let head = Bytes::copy_from_slice(&line[..line.len().min(TOO_LONG_HEAD)]);
                Line::TooLong {
                    head,
                    length: line.len() as u64,
                }
            }
            false => Line::Whole(Bytes::copy_from_slice(line)),
        })
        .collect();

    let mut splitter = LineSplitter::new(limit);
    let mut lines = Vec::new();
    let mut rest = text;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths
            .next()
            .map_or(rest.len(), |length| usize::from(*length).pow(2) + 1);
        let (chunk, behind) = rest.split_at(rest.len().min(length));
        splitter.buffer().extend_from_slice(chunk);
        lines.extend(std::iter::from_fn(|| splitter.next()));
        assert!(splitter.buffered() <= limit + 1, "holds more than a line");
        rest = behind;
    }
    lines.extend(splitter.finish());
    assert_eq!(lines, expected);
});
