//! Groups that share the partitions of a topic: members join, leave, are lost, and are told late.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use tallyboard::journal::JournalError;

use super::{Likeness, ProcessId, State, dead};

/// A member that wasn't heard of for so long loses its partitions.
const SESSION_TIMEOUT_MS: i64 = 6_000;

/// Those who share a topic.
pub(super) struct Group {
    topic: String,
    members: BTreeMap<u64, Member>,
    rebalance_at_ms: Option<i64>,
}

struct Member {
    process: ProcessId,
    ours: BTreeSet<u32>,
    told: Option<BTreeSet<u32>>,
    heard_ms: i64,
    /// Its session ran out; it joins again when it is heard of.
    lost: bool,
}

impl State {
    pub(crate) fn join(&mut self, process: ProcessId, group: &str, topic: &str) -> Result<u64, JournalError> {
        self.topic(topic)?;
        if self.is_dead(process) {
            return Err(dead());
        }
        self.members += 1;
        let number = self.members;
        let member =
            Member { process, ours: BTreeSet::new(), told: None, heard_ms: self.now_ms, lost: false };
        self.event(format_args!("process {process} joins {group} as member {number}"));
        let joined = self.groups.entry(group.to_owned()).or_insert_with(|| Group {
            topic: topic.to_owned(),
            members: BTreeMap::new(),
            rebalance_at_ms: None,
        });
        joined.members.insert(number, member);
        self.rebalance_soon(group);
        Ok(number)
    }

    pub(crate) fn leave(&mut self, process: ProcessId, group: &str, member: u64) {
        if self.is_dead(process) {
            return;
        }
        if let Some(joined) = self.groups.get_mut(group) {
            joined.members.remove(&member);
            self.event(format_args!("member {member} leaves {group}"));
            self.rebalance_soon(group);
        }
    }

    fn rebalance_soon(&mut self, group: &str) {
        let delay = match self.likeness {
            Likeness::Kafka => self.rng.random_range(0..1500),
            Likeness::Embedded => 0,
        };
        let at_ms = self.now_ms + delay;
        self.groups.get_mut(group).expect("joined before").rebalance_at_ms = Some(at_ms);
    }

    pub(crate) fn poll_membership(
        &mut self,
        process: ProcessId,
        group: &str,
        number: u64,
    ) -> Result<Option<BTreeSet<u32>>, JournalError> {
        if let Err(error) = self.reach(process) {
            // A client that reaches nobody mostly just has no news.
            return if error.is_transient() && self.rng.random() { Ok(None) } else { Err(error) };
        }
        if self.happens(self.weather.rebalance) {
            self.fault("rebalance");
            self.groups.get_mut(group).expect("joined before").rebalance_at_ms = Some(self.now_ms);
        }
        let now_ms = self.now_ms;
        let joined = self.groups.get_mut(group).expect("joined before");
        let member = joined.members.get_mut(&number).expect("a member stays one until it leaves");
        member.heard_ms = now_ms;
        if member.lost {
            member.lost = false;
            self.rebalance_soon(group);
        } else if joined.rebalance_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.rebalance(group);
        }
        if self.happens(self.weather.late_news) {
            return Ok(None);
        }
        let joined = self.groups.get_mut(group).expect("joined before");
        let member = joined.members.get_mut(&number).expect("a member stays one until it leaves");
        let ours = member.ours.clone();
        if member.told.as_ref() == Some(&ours) || (member.told.is_none() && ours.is_empty()) {
            return Ok(None);
        }
        member.told = Some(ours.clone());
        self.event(format_args!("member {number} of {group} is told {ours:?}"));
        Ok(Some(ours))
    }

    /// Members that weren't heard of lose what they have; those of dead processes are forgotten.
    pub(super) fn watch_sessions(&mut self) {
        let oldest_ms = self.now_ms - SESSION_TIMEOUT_MS;
        let mut changed = Vec::new();
        for (name, group) in &mut self.groups {
            let before = group.members.len();
            let lines = &self.lines;
            group.members.retain(|_, member| {
                member.heard_ms >= oldest_ms || lines.get(&member.process).is_some_and(|line| !line.dead)
            });
            let mut lost = before != group.members.len();
            for member in group.members.values_mut() {
                if member.heard_ms < oldest_ms && !member.lost {
                    member.lost = true;
                    member.ours.clear();
                    lost = true;
                }
            }
            if lost {
                changed.push(name.clone());
            }
        }
        for group in changed {
            self.fault("session lost");
            self.event(format_args!("a session of {group} runs out"));
            self.rebalance_soon(&group);
        }
    }

    fn rebalance(&mut self, name: &str) {
        let group = &self.groups[name];
        let count = u32::try_from(self.topics[&group.topic].partitions.len()).expect("partitions are few");
        let numbers: Vec<_> =
            group.members.iter().filter(|(_, member)| !member.lost).map(|(number, _)| *number).collect();
        let group = self.groups.get_mut(name).expect("looked up before");
        group.rebalance_at_ms = None;
        if numbers.is_empty() {
            return;
        }
        let shuffled: bool = self.rng.random();
        let turn = self.rng.random_range(0..numbers.len());
        let mut shares: BTreeMap<u64, BTreeSet<u32>> =
            numbers.iter().map(|number| (*number, BTreeSet::new())).collect();
        for partition in 0..count {
            let even = numbers[(partition as usize + turn) % numbers.len()];
            let keeper = group
                .members
                .iter()
                .find(|(_, member)| member.ours.contains(&partition))
                .map(|(number, _)| *number);
            let number = match keeper {
                Some(keeper) if !shuffled && shares.contains_key(&keeper) => keeper,
                _ => even,
            };
            shares.get_mut(&number).expect("one of the members").insert(partition);
        }
        self.trace.event(self.now_ms, format_args!("{name} is shared out as {shares:?}"));
        for (number, share) in shares {
            group.members.get_mut(&number).expect("one of the members").ours = share;
        }
    }
}
