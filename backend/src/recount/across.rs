//! Looking for voters who were counted in several partitions.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    num::NonZero,
};

use hashbrown::HashSet;

use super::{
    SplitVoter,
    count::{self, Counted, Fingerprint, Job},
};
use crate::journal::{JournalError, Position};

/// The fingerprints that several partitions have.
pub(super) fn counted_twice(
    counted: &BTreeMap<u32, Counted>,
    threads: NonZero<usize>,
) -> HashSet<Fingerprint> {
    let lists: Vec<_> = counted.values().map(Counted::voters).collect();
    let shares = u64::try_from(threads.get()).expect("threads are few");
    std::thread::scope(|scope| {
        let lists = &lists;
        let share = |number| move || in_several(&slices(lists, number, shares));
        let others: Vec<_> = (1..shares).map(|number| scope.spawn(share(number))).collect();
        let mut found = share(0)();
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    })
}

/// A share of every list: fingerprints are evenly distributed, so their first bytes cut into equal parts.
fn slices<'a>(lists: &[&'a [Fingerprint]], number: u64, shares: u64) -> Vec<&'a [Fingerprint]> {
    let border = |number: u64| number * (1 << 16) / shares;
    let start = |print: &Fingerprint| u64::from(u16::from_be_bytes([print[0], print[1]]));
    let cut = |list: &[Fingerprint], number| list.partition_point(|print| start(print) < border(number));
    lists.iter().map(|list| &list[cut(list, number)..cut(list, number + 1)]).collect()
}

/// What occurs in more than one of the sorted lists.
fn in_several(lists: &[&[Fingerprint]]) -> HashSet<Fingerprint> {
    let mut rests = lists.to_vec();
    let mut heads = BinaryHeap::new();
    let mut push = |heads: &mut BinaryHeap<_>, list: usize| {
        if let Some((head, rest)) = rests[list].split_first() {
            rests[list] = rest;
            heads.push(Reverse((*head, list)));
        }
    };
    for list in 0..lists.len() {
        push(&mut heads, list);
    }
    let mut found = HashSet::new();
    let mut last = None;
    while let Some(Reverse((print, list))) = heads.pop() {
        if last == Some(print) {
            found.insert(print);
        }
        last = Some(print);
        push(&mut heads, list);
    }
    found
}

/// Where the first votes of these voters lie. Only for them are the partitions folded a second time: offsets of all
/// voters would cost more than half as much memory again.
pub(super) fn locate(
    job: &Job<'_>,
    suspects: HashSet<Fingerprint>,
    threads: NonZero<usize>,
) -> Result<Vec<SplitVoter>, JournalError> {
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    tracing::warn!(
        voters = suspects.len(),
        "voters were counted in several partitions; looking for their votes"
    );
    job.progress.expect(job.ends.values().sum());
    let places = count::in_parallel(job.ends, threads, |partition, end| {
        let mut places = Vec::new();
        count::fold(job, partition, end, |offset, voter| {
            if suspects.contains(voter) {
                places.push((*voter, Position { partition, offset }));
            }
        })?;
        Ok(places)
    })?;
    let mut by_voter = BTreeMap::<Fingerprint, Vec<Position>>::new();
    for (voter, place) in places.into_values().flatten() {
        by_voter.entry(voter).or_default().push(place);
    }
    let mut voters: Vec<_> = by_voter.into_values().map(|first_votes| SplitVoter { first_votes }).collect();
    voters.sort_unstable_by_key(|voter| voter.first_votes.first().map(|vote| (vote.partition, vote.offset)));
    Ok(voters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_lists_have_is_found_however_the_work_is_shared() {
        let print = |word: u32| {
            let mut print = [7; 12];
            print[..4].copy_from_slice(&word.to_be_bytes());
            print
        };
        let list = |words: &[u32]| {
            let mut list: Vec<Fingerprint> = words.iter().map(|word| print(*word)).collect();
            list.sort_unstable();
            list
        };
        let high = u32::MAX;
        let lists =
            [list(&[0, 5, 1 << 31, high]), list(&[]), list(&[1, 5, 6, high]), list(&[5, 7, (1 << 31) - 1])];
        for shares in [1, 2, 3, 7] {
            let found: HashSet<_> = (0..shares)
                .flat_map(|number| in_several(&slices(&lists.each_ref().map(Vec::as_slice), number, shares)))
                .collect();
            assert_eq!(found, HashSet::from([print(5), print(high)]), "{shares}");
        }
    }
}
