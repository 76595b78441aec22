//! Sorting, whose code is in the page once: `std`'s is compiled anew for every type and order, 4 KB each.

use std::cmp::{Ordering, Reverse};

/// Sorts; equal items keep their order.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(items.len(), &|one, other| compare(&items[one], &items[other]));
    let mut unsorted: Vec<_> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|position| unsorted[position].take()));
}

/// Sorts, the greatest first; equal items keep their order.
pub fn sort_greatest_first<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| Reverse(key(one)).cmp(&Reverse(key(other))));
}

fn order(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<_> = (0..len).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_items_keep_their_order_both_ways() {
        let mut items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (3, 'd'), (1, 'e')];
        sort_by(&mut items, |one, other| one.0.cmp(&other.0));
        assert_eq!(items, [(1, 'b'), (1, 'e'), (2, 'a'), (2, 'c'), (3, 'd')]);
        sort_greatest_first(&mut items, |item| item.0);
        assert_eq!(items, [(3, 'd'), (2, 'a'), (2, 'c'), (1, 'b'), (1, 'e')]);
        sort_by(&mut Vec::<u8>::new(), u8::cmp);
    }
}
