//! Fair queues: every source has its own line, lines are served in turn, and a full queue drops from the longest line.
//! Known devices have a separate queue.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::model::DeviceTrust;

/// A bounded queue that is fair between sources.
pub(super) struct FairQueue<S, T> {
    /// Empty lines are removed.
    lines: HashMap<S, VecDeque<(u64, T)>>,
    /// The sources that have a line, in the order of service.
    turn: VecDeque<S>,
    len: usize,
    next_id: u64,
}

/// The result of a successful push.
pub(super) struct Pushed<T> {
    /// The id for [`FairQueue::remove`].
    pub(super) id: u64,
    /// The item that was dropped to make room.
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

    /// Appends an item to its source's line. If the queue is full, the newest item of the longest line is dropped,
    /// provided that line remains longer than the source's own; otherwise the item is returned.
    pub(super) fn push(&mut self, source: S, item: T, len_max: usize) -> Result<Pushed<T>, T> {
        let mut displaced = None;
        if self.len >= len_max {
            let Some(longest) = self.line_to_cut_for(source) else {
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

    /// Returns whether a push would succeed.
    fn has_room(&self, source: S, len_max: usize) -> bool {
        self.len < len_max || self.line_to_cut_for(source).is_some()
    }

    /// Returns the longest line, if it remains longer than the source's own after losing an item.
    fn line_to_cut_for(&self, source: S) -> Option<S> {
        let own = self.lines.get(&source).map_or(0, VecDeque::len);
        let (longest, line) = self.lines.iter().max_by_key(|(_, line)| line.len())?;
        (line.len() > own + 1).then_some(*longest)
    }

    /// Returns how many items would be served before a new one of this source, if no others arrived.
    pub(super) fn ahead_of(&self, source: S) -> usize {
        let own = self.lines.get(&source).map_or(0, VecDeque::len);
        // Each source is served once per round, for as many rounds as the source's own line is long, and at most once
        // more in the last round.
        self.lines.values().map(|line| line.len().min(own + 1)).sum()
    }

    /// Removes the first item of the next line whose first item passes `will_do`, and moves that source to the end.
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

    /// Removes an item; `true` if it was still queued.
    pub(super) fn remove(&mut self, source: S, id: u64) -> bool {
        let Some(line) = self.lines.get_mut(&source) else {
            return false;
        };
        // Ids increase within a line.
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

/// One queue per standing. While both have items, they are served alternately. Each has its own bound, so strangers can
/// neither fill the queue of known devices nor slow it to less than half the rate.
pub(super) struct Queues<S, T> {
    strangers: FairQueue<S, T>,
    known: FairQueue<S, T>,
    /// The queue served next, if both have items.
    turn: DeviceTrust,
}

impl<S, T> Default for Queues<S, T> {
    fn default() -> Self {
        Self { strangers: FairQueue::default(), known: FairQueue::default(), turn: DeviceTrust::Known }
    }
}

impl<S: Copy + Eq + Hash, T> Queues<S, T> {
    pub(super) fn len(&self) -> usize {
        self.strangers.len() + self.known.len()
    }

    /// Appends an item as [`FairQueue::push`]; the bound applies to each queue.
    pub(super) fn push(&mut self, standing: DeviceTrust, source: S, item: T, len_max: usize) -> Result<Pushed<T>, T> {
        self.queue_mut(standing).push(source, item, len_max)
    }

    /// Returns whether a push would succeed.
    pub(super) fn has_room(&self, standing: DeviceTrust, source: S, len_max: usize) -> bool {
        self.queue(standing).has_room(source, len_max)
    }

    /// Returns how many items would be served before a new one of this source, if no others arrived.
    pub(super) fn ahead_of(&self, standing: DeviceTrust, source: S) -> usize {
        let own = self.queue(standing).ahead_of(source);
        own + self.queue(other(standing)).len().min(own + 1)
    }

    /// Removes the next item that passes `will_do`.
    pub(super) fn take(&mut self, will_do: impl Fn(&T) -> bool) -> Option<T> {
        for standing in [self.turn, other(self.turn)] {
            if let Some(item) = self.queue_mut(standing).take(&will_do) {
                self.turn = other(standing);
                return Some(item);
            }
        }
        None
    }

    /// Removes an item; `true` if it was still queued.
    pub(super) fn remove(&mut self, standing: DeviceTrust, source: S, id: u64) -> bool {
        self.queue_mut(standing).remove(source, id)
    }

    fn queue(&self, standing: DeviceTrust) -> &FairQueue<S, T> {
        match standing {
            DeviceTrust::Stranger => &self.strangers,
            DeviceTrust::Known => &self.known,
        }
    }

    fn queue_mut(&mut self, standing: DeviceTrust) -> &mut FairQueue<S, T> {
        match standing {
            DeviceTrust::Stranger => &mut self.strangers,
            DeviceTrust::Known => &mut self.known,
        }
    }
}

fn other(standing: DeviceTrust) -> DeviceTrust {
    match standing {
        DeviceTrust::Stranger => DeviceTrust::Known,
        DeviceTrust::Known => DeviceTrust::Stranger,
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
        // Now neither line is longer than the other by two.
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

    fn queues(items: &[(DeviceTrust, char, u32)], len_max: usize) -> Queues<char, u32> {
        let mut queues = Queues::default();
        for (standing, source, item) in items {
            assert!(queues.push(*standing, *source, *item, len_max).is_ok());
        }
        queues
    }

    use DeviceTrust::{Known, Stranger};

    #[test]
    fn whoever_is_known_and_strangers_are_served_alternately_and_each_fairly() {
        let mut queues = queues(
            &[
                (Stranger, 'a', 1),
                (Stranger, 'a', 2),
                (Stranger, 'b', 3),
                (Stranger, 'b', 4),
                (Known, 'a', 10),
                (Known, 'a', 11),
                (Known, 'c', 12),
            ],
            100,
        );
        assert_eq!(queues.len(), 7);
        let served: Vec<u32> = std::iter::from_fn(|| queues.take(|_| true)).collect();
        assert_eq!(served, [10, 1, 12, 3, 11, 2, 4]);
    }

    #[test]
    fn a_queue_full_of_strangers_refuses_nobody_who_is_known() {
        let mut queues = queues(&[(Stranger, 'a', 1), (Stranger, 'b', 2)], 2);
        assert!(!queues.has_room(Stranger, 'c', 2));
        assert!(queues.push(Stranger, 'c', 3, 2).is_err());
        for item in [4, 5] {
            assert!(queues.has_room(Known, 'c', 2));
            assert!(queues.push(Known, 'c', item, 2).is_ok_and(|pushed| pushed.displaced.is_none()));
        }
        assert!(queues.push(Known, 'c', 6, 2).is_err());
        assert_eq!(queues.len(), 4);
    }

    #[test]
    fn whoever_is_known_waits_for_as_many_strangers_as_of_their_own_at_the_most() {
        let strangers: Vec<_> = (0..50).map(|item| (Stranger, 'a', item)).collect();
        let mut queues = queues(&strangers, 100);
        assert_eq!(queues.ahead_of(Known, 'a'), 1);
        assert_eq!(queues.ahead_of(Stranger, 'a'), 50);
        assert!(queues.push(Known, 'b', 100, 100).is_ok());
        assert_eq!(queues.ahead_of(Known, 'a'), 3);
        assert_eq!(queues.ahead_of(Stranger, 'a'), 51);
    }

    #[test]
    fn who_leaves_a_queue_leaves_that_of_their_standing() {
        let mut queues = queues(&[(Stranger, 'a', 1)], 9);
        let id = queues.push(Known, 'a', 2, 9).ok().unwrap().id;
        assert!(queues.remove(Known, 'a', id));
        assert!(!queues.remove(Known, 'a', id));
        assert_eq!(queues.take(|_| true), Some(1));
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
