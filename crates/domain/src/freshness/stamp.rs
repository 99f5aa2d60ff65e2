//! The stamp of a remembered value: when it was read, and which slots it depends on.

use std::sync::Arc;

use super::Point;

/// It means something only to the [`Freshness`](super::Freshness) that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub(super) point: Point,
    slots: Slots,
}

/// Nearly every value depends on few resources, so their slots are stored in place: a copy then allocates nothing and
/// counts no references.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slots {
    Few { number: u8, slots: [u16; FEW] },
    // Behind a thin pointer, which needs no more room than the few.
    Many(Arc<Box<[u16]>>),
}

/// The key, its owner, its project, and three more.
const FEW: usize = 6;

impl Stamp {
    /// The point at which the value was read.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Whether there is a resource whose change makes the value stale.
    pub fn depends_on_any(&self) -> bool {
        !self.slots().is_empty()
    }

    pub(super) fn new(point: Point, slots: impl ExactSizeIterator<Item = u16>) -> Self {
        let number = slots.len();
        let slots = if number <= FEW {
            let mut few = [0; FEW];
            for (place, slot) in few.iter_mut().zip(slots) {
                *place = slot;
            }
            Slots::Few { number: u8::try_from(number).expect("they are few"), slots: few }
        } else {
            Slots::Many(Arc::new(slots.collect()))
        };
        Self { point, slots }
    }

    pub(super) fn slots(&self) -> &[u16] {
        match &self.slots {
            Slots::Few { number, slots } => &slots[..usize::from(*number)],
            Slots::Many(slots) => slots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_any_number_of_slots() {
        for number in 0..20 {
            let stamp = Stamp::new(Point::from_bits(7), 0..number);
            assert_eq!(stamp.slots(), (0..number).collect::<Vec<_>>());
            assert_eq!(stamp.point(), Point::from_bits(7));
            assert_eq!(stamp.depends_on_any(), number > 0);
        }
    }

    /// The cache has one for each key.
    #[test]
    fn the_type_is_small() {
        assert_eq!(size_of::<Stamp>(), 24);
    }
}
