//! The texts of a candidate in one piece of memory, which takes less than three.

/// Where in it they stand: what the key's API keys begin with, its environment unless the answer has that
/// too, its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    head: u8,
    environment: u8,
    environment_at: u16,
}

impl Layout {
    pub(super) fn of(head: &str, environment: &str, answer: &[u8]) -> (Self, Box<[u8]>) {
        // Wherever the same letters stand, they are the same. Right behind the head they are no answer's.
        let mut places = answer.windows(environment.len()).enumerate().skip(1);
        let found = places.find(|(_, letters)| *letters == environment.as_bytes());
        let found = found.and_then(|(at, _)| u16::try_from(head.len() + at).ok());
        let missing = if found.is_some() { "" } else { environment };
        let layout = Self {
            head: short(head),
            environment: short(environment),
            environment_at: found.unwrap_or_else(|| short(head).into()),
        };
        (layout, [head.as_bytes(), missing.as_bytes(), answer].concat().into())
    }

    pub(super) fn head(self, texts: &[u8]) -> &[u8] {
        &texts[..usize::from(self.head)]
    }

    pub(super) fn environment(self, texts: &[u8]) -> &[u8] {
        &texts[usize::from(self.environment_at)..][..usize::from(self.environment)]
    }

    pub(super) fn answer(self, texts: &[u8]) -> &[u8] {
        let apart = self.environment_at == u16::from(self.head);
        let environment = if apart { self.environment } else { 0 };
        &texts[usize::from(self.head) + usize::from(environment)..]
    }
}

/// Heads and environments have at most 31 letters.
fn short(text: &str) -> u8 {
    u8::try_from(text.len()).expect("heads and environments are short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_parts_are_what_went_in() {
        let long = [b'x'; 70_000];
        for answer in [
            b"answer".as_slice(),
            b"answer in production, of course",
            b"production",
            b"productio",
            b"",
            &long,
            &[long.as_slice(), b"production"].concat(),
        ] {
            let (layout, texts) = Layout::of("acme_live", "production", answer);
            assert_eq!(layout.head(&texts), b"acme_live");
            assert_eq!(layout.environment(&texts), b"production");
            assert_eq!(layout.answer(&texts), answer);
        }
    }

    #[test]
    fn what_the_answer_has_is_not_kept_twice() {
        assert_eq!(Layout::of("a_b", "production", b"in production").1.len(), 16);
        assert_eq!(Layout::of("a_b", "production", b"in staging").1.len(), 23);
    }
}
