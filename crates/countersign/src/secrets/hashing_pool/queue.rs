//! Decides who is next, and who has to leave when the queue is full: every source has its own line, the lines are served
//! in turn, and the longest one is cut.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A bounded queue that is fair between sources.
pub(super) struct FairQueue<S, T> {
    /// No line is empty.
    lines: HashMap<S, VecDeque<(u64, T)>>,
    /// The sources that have a line, the next one first.
    turn: VecDeque<S>,
    len: usize,
    next_id: u64,
}

/// An item has got a place.
pub(super) struct Pushed<T> {
    /// For [`FairQueue::remove`].
    pub(super) id: u64,
    /// Whoever had to leave for it.
    pub(super) displaced: Option<T>,
}

impl<S, T> Default for FairQueue<S, T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turn: VecDeque::new(), len: 0, next_id: 0 }
    }
}

impl<S: Copy + Eq + Hash, T> FairQueue<S, T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts an item at the end of its source's line. In a full queue the newest item of the longest line makes room, if
    /// that line stays the longer one; otherwise the item comes back.
    pub(super) fn push(&mut self, source: S, item: T, len_max: usize) -> Result<Pushed<T>, T> {
        let mut displaced = None;
        if self.len >= len_max {
            let own = self.lines.get(&source).map_or(0, VecDeque::len);
            let longest = self.lines.iter().max_by_key(|(_, line)| line.len());
            let Some((&longest, _)) = longest.filter(|(_, line)| line.len() > own + 1) else {
                return Err(item);
            };
            // The line has more than one item, so it does not become empty.
            displaced = self.lines.get_mut(&longest).and_then(VecDeque::pop_back).map(|(_, item)| item);
            self.len -= 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        let line = self.lines.entry(source).or_default();
        if line.is_empty() {
            self.turn.push_back(source);
        }
        line.push_back((id, item));
        self.len += 1;
        Ok(Pushed { id, displaced })
    }

    /// How many items would be served before another one of this source, if nothing else came.
    pub(super) fn ahead_of(&self, source: S) -> usize {
        let own = self.lines.get(&source).map_or(0, VecDeque::len);
        // In as many rounds as the own line is long each source is served once, and in the last one once more at the most.
        self.lines.values().map(|line| line.len().min(own + 1)).sum()
    }

    /// The first item of the next line whose first item will do; that source goes to the end.
    pub(super) fn take(&mut self, will_do: impl Fn(&T) -> bool) -> Option<T> {
        let place = self.turn.iter().position(|source| {
            self.lines.get(source).and_then(VecDeque::front).is_some_and(|(_, item)| will_do(item))
        })?;
        let source = self.turn.remove(place)?;
        let line = self.lines.get_mut(&source)?;
        let (_, item) = line.pop_front()?;
        self.len -= 1;
        if line.is_empty() {
            self.lines.remove(&source);
        } else {
            self.turn.push_back(source);
        }
        Some(item)
    }

    /// Takes an item out; whether it was still there.
    pub(super) fn remove(&mut self, source: S, id: u64) -> bool {
        let Some(line) = self.lines.get_mut(&source) else {
            return false;
        };
        // Ids in a line only grow.
        let Ok(place) = line.binary_search_by_key(&id, |(id, _)| *id) else {
            return false;
        };
        line.remove(place);
        self.len -= 1;
        if line.is_empty() {
            self.lines.remove(&source);
            self.turn.retain(|other| *other != source);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue(items: &[(char, u32)]) -> FairQueue<char, u32> {
        let mut queue = FairQueue::default();
        for (source, item) in items {
            assert!(queue.push(*source, *item, 100).is_ok());
        }
        queue
    }

    fn drain(queue: &mut FairQueue<char, u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.take(|_| true)).collect()
    }

    #[test]
    fn sources_are_served_in_turn_and_each_in_its_own_order() {
        let mut queue = queue(&[('a', 1), ('a', 2), ('a', 3), ('b', 4), ('c', 5), ('b', 6)]);
        assert_eq!(drain(&mut queue), [1, 4, 5, 2, 6, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn in_a_full_queue_the_longest_line_makes_room_for_a_shorter_one() {
        let mut queue = queue(&[('a', 1), ('a', 2), ('a', 3)]);
        assert_eq!(queue.push('b', 4, 3).ok().and_then(|pushed| pushed.displaced), Some(3));
        // Now nobody has two more than the other.
        assert_eq!(queue.push('b', 5, 3).err(), Some(5));
        assert_eq!(queue.push('a', 6, 3).err(), Some(6));
        assert_eq!(drain(&mut queue), [1, 4, 2]);
    }

    #[test]
    fn who_stands_in_a_long_line_is_not_in_the_way_of_others() {
        let queue = queue(&[('a', 1), ('a', 2), ('a', 3), ('b', 4)]);
        assert_eq!([queue.ahead_of('a'), queue.ahead_of('b'), queue.ahead_of('c')], [4, 3, 2]);
    }

    #[test]
    fn what_will_not_do_now_keeps_its_place() {
        let mut queue = queue(&[('a', 10), ('b', 2), ('a', 3)]);
        assert_eq!(queue.take(|item| *item < 10), Some(2));
        assert_eq!(queue.take(|item| *item < 10), None);
        assert_eq!(drain(&mut queue), [10, 3]);
    }

    #[test]
    fn who_leaves_is_not_served() {
        let mut queue = FairQueue::default();
        let ids: Vec<u64> = [1, 2, 3].map(|item| queue.push('a', item, 9).ok().unwrap().id).into();
        assert!(queue.remove('a', ids[1]));
        assert!(!queue.remove('a', ids[1]));
        assert!(!queue.remove('b', ids[0]));
        assert_eq!(drain(&mut queue), [1, 3]);
        assert!(!queue.remove('a', ids[0]));
    }

    proptest! {
        #[test]
        fn every_item_comes_out_once_or_was_displaced(sources in proptest::collection::vec(0_u8..5, 0..200), len_max in 1_usize..20) {
            let mut queue = FairQueue::default();
            let mut seen = Vec::new();
            for (item, source) in sources.iter().enumerate() {
                match queue.push(*source, item, len_max) {
                    Ok(pushed) => seen.extend(pushed.displaced),
                    Err(item) => seen.push(item),
                }
                prop_assert!(queue.len() <= len_max);
            }
            seen.extend(std::iter::from_fn(|| queue.take(|_| true)));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sources.len()).collect::<Vec<_>>());
        }
    }
}
