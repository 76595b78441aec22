//! Memory by voter: what the whole server has grown by, once everything is counted.
//!
//! The resident memory of the process, with all that belongs to it: records fetched ahead, tables that have just
//! grown, the allocator's own. The most that it ever had is the kernel's figure (`VmHWM`).

use tallyboard::simulate::Shape;

use crate::{
    feed::Feed,
    server::Server,
    table::{Row, per_second, thousands},
    votes::{SHORT, SHORT_COUNT, Votes, forget_results, kafka_servers},
};

/// DESIGN, section 10.
const BYTES_PER_VOTER: u64 = 24;

pub(crate) fn run() {
    let votes = Votes::new(Shape::Short);
    for (prefix, count) in [("bench-million-", 1_000_000), (SHORT, SHORT_COUNT)] {
        let (_, count) = votes.fill(prefix, count);
        forget_results(prefix);
        measure(prefix, count);
    }
}

fn measure(prefix: &str, count: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = Server::start(directory.path(), &["--kafka", &kafka_servers(), "--topic-prefix", prefix]);
    let (before, _) = server.memory();
    Feed::connect(&server).covers(count);
    // What was fetched ahead is given back by then.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let (after, most) = server.memory();
    let per_voter = |bytes: u64| bytes.saturating_sub(before) / count;
    let what = format!("memory of the server, {} voters", thousands(per_second(count, 1.0)));
    let figure = format!("{} bytes a voter, {} at most", per_voter(after), per_voter(most));
    Row::with_aim(&what, figure, "≤ 24 bytes", per_voter(after) <= BYTES_PER_VOTER).print();
}
