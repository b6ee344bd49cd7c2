//! What the byte path costs: `cargo bench -p mcp-wire`. Throughput is of source bytes.

#![expect(
    clippy::expect_used,
    reason = "a bench whose input is refused has nothing to measure"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mcp_wire::{Id, Line, LineSplitter, Member, Message, object, sse};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A small call as clients write it.
const CALL: &str = concat!(
    r#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"},"#,
    r#""_meta":{"progressToken":3}}}"#
);

/// A reply with one string of about `size` bytes.
fn string(size: usize) -> Bytes {
    reply(&format!(
        r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#,
        "x".repeat(size)
    ))
}

/// A reply with one string of about `size` bytes that is JSON itself, so that every few bytes are escaped.
fn escaped(size: usize) -> Bytes {
    let part = r#"{\"id\":12,\"name\":\"Jane\"},\n"#;
    reply(&format!(
        r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#,
        part.repeat(size / part.len())
    ))
}

/// A reply with about `size` bytes of small objects.
fn objects(size: usize) -> Bytes {
    let part = r#"{"id":12,"name":"Jane","tags":["a","b"],"active":true,"score":1.5},"#;
    let parts = part.repeat(size / part.len());
    reply(&format!(
        r#"{{"structuredContent":[{}]}}"#,
        parts.trim_end_matches(',')
    ))
}

fn reply(result: &str) -> Bytes {
    Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":17,"result":{result}}}"#))
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let inputs = [
        ("call", Bytes::from_static(CALL.as_bytes())),
        ("string 64 KiB", string(64 * KIB)),
        ("objects 64 KiB", objects(64 * KIB)),
        ("string 8 MiB", string(8 * MIB)),
        ("escaped 8 MiB", escaped(8 * MIB)),
        ("objects 8 MiB", objects(8 * MIB)),
    ];
    for (name, source) in inputs {
        group.throughput(Throughput::Bytes(source.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Message::parse(black_box(source.clone())).expect("a message"));
        });
    }
    group.finish();
}

fn splice(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice");
    let call = Message::parse(Bytes::from_static(CALL.as_bytes())).expect("a message");
    let mut out = BytesMut::with_capacity(KIB);
    group.throughput(Throughput::Bytes(CALL.len() as u64));
    group.bench_function("id and token, write_line", |bencher| {
        bencher.iter(|| {
            let mut call = call.clone();
            call.set_id(black_box(1234));
            call.replace(Member::ProgressToken, black_box(5678));
            out.clear();
            call.write_line(&mut out);
            black_box(out.len())
        });
    });
    group.bench_function("two _meta members out, one in, write_line", |bencher| {
        let modern = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":3}}}"#;
        let modern = Message::parse(Bytes::from_static(modern.as_bytes())).expect("a message");
        bencher.iter(|| {
            let mut call = modern.clone();
            call.remove_meta(Member::MetaProtocolVersion.name());
            call.remove_meta(Member::MetaClientCapabilities.name());
            call.insert_meta("traceparent", "\"00-0-0-00\"");
            out.clear();
            call.write_line(&mut out);
            black_box(out.len())
        });
    });
    let source = string(8 * MIB);
    let big = Message::parse(source.clone()).expect("a message");
    group.throughput(Throughput::Bytes(source.len() as u64));
    group.bench_function("id, line_pieces of 8 MiB", |bencher| {
        bencher.iter(|| {
            let mut big = big.clone();
            big.set_id(Id::number(black_box(1234)));
            big.line_pieces().map(|piece| piece.len()).sum::<usize>()
        });
    });
    let objects = objects(8 * MIB);
    let big = Message::parse(objects).expect("a message");
    group.bench_function("walk a result of 8 MiB", |bencher| {
        bencher.iter(|| {
            object::get(black_box(big.result().expect("a result")), "resultType").is_none()
        });
    });
    group.finish();
}

fn line(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line");
    let small = format!("{CALL}\n").repeat(MIB / CALL.len());
    let big = [&string(8 * MIB)[..], b"\n"].concat();
    for (name, text) in [("1 MiB of calls", small.as_bytes()), ("one of 8 MiB", &big)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || LineSplitter::new(16 * MIB),
                |mut splitter| {
                    let mut lines = 0;
                    let mut rest = text;
                    while !rest.is_empty() {
                        // What a read does: as much as there is room for, and no more than a pipe holds.
                        let buffer = splitter.buffer();
                        let room = (buffer.capacity() - buffer.len())
                            .min(64 * KIB)
                            .min(rest.len());
                        let (chunk, behind) = rest.split_at(room);
                        buffer.extend_from_slice(chunk);
                        rest = behind;
                        while let Some(Line::Whole(line)) = splitter.next() {
                            lines += 1;
                            black_box(line);
                        }
                    }
                    lines
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sse");
    for (name, source) in [
        ("call", Bytes::from_static(CALL.as_bytes())),
        ("string 8 MiB", string(8 * MIB)),
    ] {
        let message = Message::parse(source.clone()).expect("a message");
        group.throughput(Throughput::Bytes(source.len() as u64));
        group.bench_function(format!("write {name}"), |bencher| {
            bencher.iter(|| sse::event(Some("1-1"), black_box(&message)));
        });
        let stream = sse::event(Some("1-1"), &message).concat();
        group.bench_function(format!("split {name}"), |bencher| {
            bencher.iter_batched(
                || sse::EventSplitter::new(16 * MIB),
                |mut splitter| {
                    for chunk in stream.chunks(8 * KIB) {
                        splitter.buffer().extend_from_slice(chunk);
                        if let Some(part) = splitter.next() {
                            return Some(part);
                        }
                    }
                    None
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, parse, splice, line, events);
criterion_main!(benches);
