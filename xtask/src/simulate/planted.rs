//! Bugs to be planted, each of a kind that such a program could have: the simulation has to find every one.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

/// A bug.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) edits: &'static [Edit],
}

/// A change of the sources.
pub(crate) struct Edit {
    pub(crate) file: &'static str,
    /// Text that occurs once in the file.
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
}

impl Planted {
    /// Makes the changes in a tree.
    pub(crate) fn plant(&self, root: &Path) -> Result<()> {
        for edit in self.edits {
            let path = root.join(edit.file);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let times = text.matches(edit.find).count();
            ensure!(times == 1, "{}: {} has this {times} times: {}", self.name, edit.file, edit.find);
            fs::write(&path, text.replace(edit.find, edit.replace))?;
        }
        Ok(())
    }
}

const FOLD: &str = "backend/src/tally/fold.rs";
const ROSTER: &str = "backend/src/tally/roster.rs";
const MERGE: &str = "backend/src/tally/merge.rs";
const TIMELINE: &str = "backend/src/tally/timeline.rs";
const PUBLISHER: &str = "backend/src/roles/publisher/mod.rs";
const PUBLISHER_SHELL: &str = "backend/src/roles/publisher/shell.rs";
const PUBLISHER_ROWS: &str = "backend/src/roles/publisher/rows.rs";
const COUNTER: &str = "backend/src/roles/counter/mod.rs";
const WORKER: &str = "backend/src/roles/counter/worker.rs";
const TELLER: &str = "backend/src/roles/counter/teller.rs";
const OUTBOX: &str = "backend/src/roles/counter/outbox.rs";
const CHECKPOINT: &str = "backend/src/checkpoint/mod.rs";

/// All of them.
pub(crate) const PLANTED: &[Planted] = &[
    Planted {
        name: "count-before-dedupe",
        edits: &[
            Edit {
                file: FOLD,
                find: "        *self.cells.entry((choice.candidate, choice.location)).or_default() += 1;\n",
                replace: "",
            },
            Edit {
                file: FOLD,
                find: "        if !self.voters.take_up(voter) {",
                replace: "        *self.cells.entry((choice.candidate, choice.location)).or_default() += 1;\n        if !self.voters.take_up(voter) {",
            },
        ],
    },
    Planted {
        name: "count-a-record-twice",
        edits: &[Edit {
            file: FOLD,
            find: "if record.offset < self.next_offset {",
            replace: "if record.offset + 1 < self.next_offset {",
        }],
    },
    Planted {
        name: "forget-voters-rejected-late",
        edits: &[Edit {
            file: FOLD,
            find: "        if late && self.rules.rejects_late {\n            return Err(Reason::Late);\n        }\n",
            replace: "        if late && self.rules.rejects_late {\n            self.voters.take_up(voter);\n            return Err(Reason::Late);\n        }\n",
        }],
    },
    Planted {
        name: "lowest-offset-wins",
        edits: &[Edit {
            file: PUBLISHER,
            find: "Some(known) if tally.next_offset <= known.tally.next_offset => return,",
            replace: "Some(known) if tally.next_offset >= known.tally.next_offset => return,",
        }],
    },
    Planted {
        name: "newest-tally-wins",
        edits: &[Edit {
            file: PUBLISHER,
            find: "            Some(known) if tally.next_offset <= known.tally.next_offset => return,\n",
            replace: "",
        }],
    },
    Planted {
        name: "version-reset",
        edits: &[Edit {
            file: PUBLISHER_SHELL,
            find: "?.map(|newest| newest.results);",
            replace: "?.map(|newest| newest.results).filter(|_| false);",
        }],
    },
    Planted {
        name: "successor-does-not-wait",
        edits: &[Edit { file: PUBLISHER, find: " || self.behind().is_some() {", replace: " {" }],
    },
    Planted {
        name: "read-before-fencing",
        edits: &[
            Edit {
                file: PUBLISHER_SHELL,
                find: "        let appender = journal.exclusive(&settings.group)?;\n",
                replace: "",
            },
            Edit {
                file: PUBLISHER_SHELL,
                find: "        let partitions = journal.bounds(&settings.topics.votes)?.len();\n        Ok(Self {",
                replace: "        let partitions = journal.bounds(&settings.topics.votes)?.len();\n        let appender = journal.exclusive(&settings.group)?;\n        Ok(Self {",
            },
        ],
    },
    Planted {
        name: "guess-after-a-failed-append",
        edits: &[Edit {
            file: PUBLISHER_SHELL,
            find: "        self.appender.append_all(vec![(topics.results.clone(), publication.version())])?;\n",
            replace: "        match self.appender.append_all(vec![(topics.results.clone(), publication.version())]) {\n            Err(error) if error.is_transient() => return Ok(false),\n            outcome => outcome?,\n        }\n",
        }],
    },
    Planted {
        name: "assume-a-failed-append-came-through",
        edits: &[Edit {
            file: PUBLISHER_SHELL,
            find: "        self.appender.append_all(vec![(topics.results.clone(), publication.version())])?;\n",
            replace: "        match self.appender.append_all(vec![(topics.results.clone(), publication.version())]) {\n            Err(error) if error.is_transient() => {}\n            outcome => outcome?,\n        }\n",
        }],
    },
    Planted {
        name: "a-successor-writes-only-rows-that-changed",
        edits: &[Edit { file: PUBLISHER, find: "rows_are_there: false,", replace: "rows_are_there: true," }],
    },
    Planted {
        name: "never-look-whose-rows-are-last",
        edits: &[Edit {
            file: PUBLISHER_ROWS,
            find: "        if elapsed_ms < self.due_ms {",
            replace: "        if elapsed_ms < i64::MAX {",
        }],
    },
    Planted {
        name: "tally-before-its-rejections",
        edits: &[Edit {
            file: TELLER,
            find: "        if !waiting.rejected.is_empty() {",
            replace: "        if !waiting.tallies.is_empty() {\n            let tallies = waiting.tallies.iter();\n            let records = tallies.map(|(partition, tally)| NewRecord::new(partition.to_string(), tally.as_slice()));\n            self.journal.append(&topics.tallies, records.collect())?;\n        }\n        if !waiting.rejected.is_empty() {",
        }],
    },
    Planted {
        name: "checkpoint-before-append",
        edits: &[
            Edit {
                file: TELLER,
                find: "        self.checkpoints.push(waiting.rejected_are_durable());\n",
                replace: "        waiting.rejected_are_durable();\n",
            },
            Edit {
                file: TELLER,
                find: "        if !waiting.rejected.is_empty() {",
                replace: "        self.checkpoints.push(std::mem::take(&mut waiting.steps));\n        if !waiting.rejected.is_empty() {",
            },
        ],
    },
    Planted {
        name: "lose-what-could-not-be-appended",
        edits: &[Edit {
            file: OUTBOX,
            find: "        earlier.rejected.append(&mut waiting.rejected);\n",
            replace: "        earlier.rejected = std::mem::take(&mut waiting.rejected);\n",
        }],
    },
    Planted {
        name: "no-reminder",
        edits: &[Edit {
            file: COUNTER,
            find: "!self.at_end || now_ms < told.at_ms + REMINDER_MS",
            replace: "!self.at_end || now_ms < told.at_ms.saturating_add(REMINDER_MS * 1_000_000)",
        }],
    },
    Planted {
        name: "count-from-the-end-of-an-incomplete-log",
        edits: &[
            Edit {
                file: WORKER,
                find: "        if first <= next {",
                replace: "        if first <= next || next == 0 {",
            },
            // Else the reader refuses.
            Edit {
                file: WORKER,
                find: "(*partition, counter.start_offset()));",
                replace: "(*partition, counter.start_offset().max(bounds.get(partition).map_or(0, |bounds| bounds.start))));",
            },
        ],
    },
    Planted {
        name: "voters-synced-after-the-tally-and-not-checked",
        edits: &[
            Edit {
                file: CHECKPOINT,
                find: "            if length > 0 {\n                self.disk.sync(&name)?;\n            }\n",
                replace: "",
            },
            Edit {
                file: CHECKPOINT,
                find: "if !rest.is_empty() || crc.clone().finalize() != header.voters_crc {",
                replace: "if !rest.is_empty() {",
            },
        ],
    },
    Planted {
        name: "resumed-without-discovered-names",
        edits: &[Edit {
            file: ROSTER,
            find: "            Some(names) => Self::Discovering(DiscoveringRoster::resume(names.clone())),\n            None => Self::new(election),",
            replace: "            Some(_) | None => Self::new(election),",
        }],
    },
    Planted {
        name: "late-votes-miss-the-timeline",
        edits: &[Edit {
            file: FOLD,
            find: "        self.timeline.count(cast_at_ms, choice.candidate);\n",
            replace: "        if !late {\n            self.timeline.count(cast_at_ms, choice.candidate);\n        }\n",
        }],
    },
    Planted {
        name: "groups-of-rejected-votes",
        edits: &[
            Edit {
                file: FOLD,
                find: "        self.breakdowns.count(choice.candidate, groups);\n",
                replace: "",
            },
            Edit {
                file: FOLD,
                find: "        if !self.voters.take_up(voter) {",
                replace: "        self.breakdowns.count(choice.candidate, groups);\n        if !self.voters.take_up(voter) {",
            },
        ],
    },
    Planted {
        name: "regions-of-one-level",
        edits: &[Edit {
            file: MERGE,
            find: "            above = region.parent.as_ref().map(|parent| places[parent]);\n",
            replace: "            above = region.parent.as_ref().filter(|_| region.id == place.id).map(|parent| places[parent]);\n",
        }],
    },
    Planted {
        name: "a-wider-timeline-starts-anew",
        edits: &[Edit {
            file: TIMELINE,
            find: "                self.add(number.div_euclid(2), candidate, votes);\n",
            replace: "                self.add(number / 2, candidate, votes.min(1));\n",
        }],
    },
    Planted {
        name: "idle-without-a-look-at-the-log",
        edits: &[Edit {
            file: PUBLISHER,
            find: "is_some_and(|end| self.tally.next_offset >= *end) {",
            replace: "is_some_and(|_| true) {",
        }],
    },
    Planted {
        name: "rejected-records-keep-partitions-awake",
        edits: &[Edit {
            file: PUBLISHER,
            find: "Some(known) if tally.votes() == known.tally.votes() => ",
            replace: "Some(known) if tally.next_offset == known.tally.next_offset => ",
        }],
    },
    Planted {
        name: "the-watermark-goes-back",
        edits: &[Edit {
            file: PUBLISHER,
            find: "        published.max(watermark(&self.election, tallies, is_idle))",
            replace: "        let _ = published;\n        watermark(&self.election, tallies, is_idle)",
        }],
    },
    Planted {
        name: "ends-of-transactions-are-never-counted",
        edits: &[Edit {
            file: COUNTER,
            find: "            self.fold.pass_to(next_offset);\n",
            replace: "            let _ = next_offset;\n",
        }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_its_place_in_the_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for bug in PLANTED {
            for edit in bug.edits {
                let text = fs::read_to_string(root.join(edit.file)).unwrap();
                assert_eq!(text.matches(edit.find).count(), 1, "{}: {}", bug.name, edit.find);
            }
        }
    }
}
