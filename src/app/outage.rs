//! Something that fails over and over, told once when it begins and once when it is over.

/// Whether it failed when last tried.
#[derive(Debug, Default)]
pub(super) struct Outage {
    lasting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Began,
    Ended,
}

impl Outage {
    /// Notes how it went this time; answers when that is news.
    pub(super) fn note(&mut self, failed: bool) -> Option<Turn> {
        match (std::mem::replace(&mut self.lasting, failed), failed) {
            (false, true) => Some(Turn::Began),
            (true, false) => Some(Turn::Ended),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turns_are_news() {
        let mut outage = Outage::default();
        let news = [false, true, true, false, false, true].map(|failed| outage.note(failed));
        let (began, ended) = (Some(Turn::Began), Some(Turn::Ended));
        assert_eq!(news, [None, began, None, ended, None, began]);
    }
}
