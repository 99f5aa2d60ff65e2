//! Finds items of a list by a text, without a copy of the texts.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

/// A hash table of the places of items in a list, each by a text of `N` parts. The list has the texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Index<const N: usize> {
    /// Bit n is set if the length of a text is n, modulo 64. It rejects most texts that are not here.
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

impl<const N: usize> Index<N> {
    /// Of items, each with the text by which it is found. No two have the same, so that no search is long.
    pub(super) fn new(items: &[(u32, [&str; N])]) -> Self {
        let mut index = Self::default();
        if !items.is_empty() {
            index.slots = vec![FREE; (items.len() * 2).next_power_of_two()].into();
        }
        for (item, text) in items {
            index.lengths |= length_bit(*text);
            let (tag, mut place) = index.start(*text);
            while index.slots[place].item != FREE.item {
                place = index.after(place);
            }
            index.slots[place] = Slot { tag, item: *item };
        }
        index
    }

    /// Whether there is an item with this text. Another text can have the same hash, so `is_it` must compare them.
    #[inline]
    pub(super) fn has(&self, text: [&str; N], is_it: impl Fn(usize) -> bool) -> bool {
        if self.lengths & length_bit(text) == 0 {
            return false;
        }
        let (tag, mut place) = self.start(text);
        loop {
            let slot = self.slots[place];
            if slot.item == FREE.item {
                return false;
            }
            if slot.tag == tag && is_it(slot.item as usize) {
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

    fn start(&self, text: [&str; N]) -> (u32, usize) {
        let mut hasher = self.hasher.build_hasher();
        text.iter().for_each(|part| hasher.write(part.as_bytes()));
        let hash = hasher.finish();
        ((hash >> 32) as u32, hash as usize & (self.slots.len() - 1))
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.slots.len() - 1)
    }
}

fn length_bit<const N: usize>(text: [&str; N]) -> u64 {
    let length: usize = text.iter().map(|part| part.len()).sum();
    1 << (length % 64)
}
