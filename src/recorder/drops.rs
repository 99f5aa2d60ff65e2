//! Word of what is dropped: once when it begins, and once when it is over.

/// How many notes were dropped since it began.
#[derive(Debug, Default)]
pub(super) struct Drops(u64);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// So many at first.
    Begun(u64),
    /// So many in all.
    Over(u64),
}

impl Drops {
    /// What there is to say of `dropped` notes since this was last asked.
    pub(super) fn hear(&mut self, dropped: u64) -> Option<Word> {
        let before = self.0;
        self.0 += dropped;
        match (before, dropped) {
            (0, 0) => None,
            (0, dropped) => Some(Word::Begun(dropped)),
            (before, 0) => {
                self.0 = 0;
                Some(Word::Over(before))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_flood_is_told_twice() {
        let mut drops = Drops::default();
        let told: Vec<_> = [0, 3, 4, 5, 0, 0, 1].map(|dropped| drops.hear(dropped)).into();
        let expected =
            [None, Some(Word::Begun(3)), None, None, Some(Word::Over(12)), None, Some(Word::Begun(1))];
        assert_eq!(told, expected);
    }
}
