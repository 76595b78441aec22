//! How batches on a topic are written: what consumers can read that have no further library and know no transactions.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
};

use crate::support::kafka_servers;

/// The attributes of what every client reads: uncompressed or gzip, not of a transaction and not the end of one.
pub(crate) const OF_EVERYONE: [u8; 2] = [0, 1];

/// The attributes of the batches in a topic's only partition, as far as one answer reaches, from its first offset on.
///
/// Asked as the protocol says it: Kafka's clients don't tell (`Fetch`, version 4).
pub(crate) fn attributes(topic: &str) -> BTreeSet<u8> {
    let text = |text: &str| [&i16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let mut request = Vec::new();
    // Fetch, version 4, correlation.
    request.extend([0, 1, 0, 4, 0, 0, 0, 7]);
    request.extend(text("codecs"));
    // No replica; at most so many milliseconds, at least and at most so many bytes; read committed.
    for number in [-1, 1000, 1, 1 << 24] {
        request.extend(i32::to_be_bytes(number));
    }
    request.push(1);
    // One topic, of which one partition: its number, the offset, at most so many bytes.
    request.extend(1_i32.to_be_bytes());
    request.extend(text(topic));
    for number in [1, 0] {
        request.extend(i32::to_be_bytes(number));
    }
    request.extend(0_i64.to_be_bytes());
    request.extend((1_i32 << 24).to_be_bytes());
    let servers = kafka_servers();
    let mut stream = TcpStream::connect(servers.split(',').next().unwrap()).unwrap();
    stream.write_all(&i32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();

    let number = |at: usize| i32::from_be_bytes(answer[at..at + 4].try_into().unwrap());
    // Correlation, throttling, one topic, its name, one partition, its number.
    let error = 4 + 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[error..error + 2], [0, 0], "the broker answers with an error");
    // The error, two offsets, and transactions that were given up, of sixteen bytes each.
    let aborted = error + 2 + 8 + 8;
    let records = aborted + 4 + usize::try_from(number(aborted).max(0)).unwrap() * 16 + 4;
    let mut attributes = BTreeSet::new();
    let mut batch = records;
    // The first offset, the length behind itself, an epoch, the format, a checksum; then the attributes.
    while batch + 23 <= answer.len() {
        attributes.insert(answer[batch + 22]);
        batch += 12 + usize::try_from(number(batch + 8)).unwrap();
    }
    attributes
}
