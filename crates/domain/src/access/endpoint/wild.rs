//! Patterns with wildcards, prepared so that one costs as much as it has literal segments, however long the path is.

/// The path of a pattern, which has wildcards.
#[derive(Debug, Clone)]
pub(in crate::access) struct Wild {
    /// How many segments it has, without a `**`.
    number: u16,
    /// It ends with `**`.
    has_rest: bool,
    literals: Box<[Literal]>,
}

/// A segment that is not a wildcard: which one, and where it is in the path of the pattern.
#[derive(Debug, Clone, Copy)]
struct Literal {
    index: u16,
    start: u16,
    end: u16,
}

/// Where the segments of a path are. Of a longer path only the first: no pattern has as many.
#[derive(Debug)]
pub(in crate::access) struct Segments<'a> {
    path: &'a str,
    /// The start of each segment, and at the end the place behind the last.
    starts: [u16; MOST + 2],
    /// How many there are, at most one more than any pattern has.
    number: usize,
    /// The path ends with a slash.
    last_is_empty: bool,
}

/// Most segments of a pattern: each takes two characters of at most 500.
const MOST: usize = 250;

impl<'a> Segments<'a> {
    /// `path` is canonical: it begins with a slash, has at most 8 KiB, and only its last segment may be empty.
    pub(in crate::access) fn of(path: &'a str) -> Self {
        let mut starts = [0; MOST + 2];
        let mut number = 0;
        let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at + 1);
        for start in slashes.take(MOST + 1) {
            starts[number] = place(start);
            number += 1;
        }
        if number <= MOST {
            // As if a slash followed.
            starts[number] = place(path.len() + 1);
        }
        Self { path, starts, number, last_is_empty: path.ends_with('/') }
    }

    fn get(&self, index: usize) -> &'a str {
        let [start, next] = [self.starts[index], self.starts[index + 1]].map(usize::from);
        &self.path[start..next - 1]
    }
}

fn place(at: usize) -> u16 {
    u16::try_from(at).expect("a path has at most 8 KiB")
}

impl Wild {
    pub(in crate::access) fn new(path: &str) -> Self {
        let mut start = 1;
        let mut literals = Vec::new();
        let (mut number, mut has_rest) = (0, false);
        for segment in path[1..].split('/') {
            let end = start + segment.len();
            match segment {
                "**" => has_rest = true,
                "*" => number += 1,
                _ => {
                    literals.push(Literal { index: number, start: place(start), end: place(end) });
                    number += 1;
                }
            }
            start = end + 1;
        }
        Self { number, has_rest, literals: literals.into() }
    }

    /// Whether `path`, of which this was made, matches the path of `segments`.
    pub(in crate::access) fn matches(&self, path: &str, segments: &Segments<'_>) -> bool {
        let number = usize::from(self.number);
        (segments.number == number || self.has_rest && segments.number > number)
            && !self.has_empty_wildcard(segments)
            && self.literals.iter().all(|literal| {
                let text = &path[usize::from(literal.start)..usize::from(literal.end)];
                segments.get(usize::from(literal.index)) == text
            })
    }

    /// Whether `*` would stand for an empty segment, which only the last one can be.
    fn has_empty_wildcard(&self, segments: &Segments<'_>) -> bool {
        let last_is_literal = self.literals.last().is_some_and(|literal| literal.index + 1 == self.number);
        segments.last_is_empty && segments.number == usize::from(self.number) && !last_is_literal
    }

    /// The bytes that it takes in memory in addition to itself.
    pub(in crate::access) fn heap_size(&self) -> usize {
        size_of_val(&*self.literals)
    }
}

#[cfg(test)]
mod tests {
    use crate::access::{Endpoint, EndpointPattern};

    /// A path may have more segments than any pattern.
    #[test]
    fn long_paths_match_only_patterns_that_end_with_a_rest() {
        let [long, as_long] = [300, 247].map(|number| format!("/{}", vec!["s"; number].join("/")));
        let deep = format!("GET /{}/**", vec!["*"; 240].join("/"));
        let exact = format!("GET /{}", vec!["*"; 247].join("/"));
        for (pattern, path, expected) in [
            ("GET /**", &long, true),
            ("GET /s/**", &long, true),
            ("GET /t/**", &long, false),
            (&deep, &long, true),
            (&exact, &long, false),
            (&exact, &as_long, true),
            (&deep, &as_long, true),
        ] {
            let pattern: EndpointPattern = pattern.parse().unwrap();
            let endpoint = Endpoint::new("GET".into(), path.clone());
            assert_eq!(pattern.matches(&endpoint), expected, "{pattern}");
        }
    }
}
