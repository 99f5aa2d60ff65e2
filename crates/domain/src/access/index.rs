//! Finds items of a list by a text, without a copy of the texts.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

/// A hash table of the places of items in a list. The list has the texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Bit n is set if a text has length n, modulo 64. Most texts that are not here are rejected by it.
    lengths: u64,
    /// At most half of the slots are taken, so that a search ends soon.
    slots: Box<[Slot]>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The upper half of the hash.
    tag: u32,
    item: u32,
}

const FREE: Slot = Slot { tag: 0, item: u32::MAX };

impl Index {
    /// Of items, each with the text by which it is found.
    pub(super) fn new(items: &[(u32, &str)]) -> Self {
        let mut index = Self::default();
        if !items.is_empty() {
            index.slots = vec![FREE; (items.len() * 2).next_power_of_two()].into();
        }
        for (item, text) in items {
            index.lengths |= length_bit(text);
            let (tag, mut place) = index.start(text);
            while index.slots[place].item != FREE.item {
                place = index.after(place);
            }
            index.slots[place] = Slot { tag, item: *item };
        }
        index
    }

    /// Whether one of the items with this text passes `test`, which must compare the text too.
    #[inline]
    pub(super) fn any(&self, text: &str, test: impl Fn(usize) -> bool) -> bool {
        if self.lengths & length_bit(text) == 0 {
            return false;
        }
        let (tag, mut place) = self.start(text);
        loop {
            let slot = self.slots[place];
            if slot.item == FREE.item {
                return false;
            }
            if slot.tag == tag && test(slot.item as usize) {
                return true;
            }
            place = self.after(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths == 0
    }

    /// The bytes that it takes in memory in addition to itself.
    pub(super) fn heap_size(&self) -> usize {
        size_of_val(&*self.slots)
    }

    fn start(&self, text: &str) -> (u32, usize) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        ((hash >> 32) as u32, hash as usize & (self.slots.len() - 1))
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.slots.len() - 1)
    }
}

fn length_bit(text: &str) -> u64 {
    1 << (text.len() % 64)
}
