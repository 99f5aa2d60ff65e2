//! The filter language of listings, after AIP-160: comparisons under AND, OR, NOT and parentheses.
//!
//! Names and values are words or quoted strings. OR binds tighter than AND, as in AIP-160.

use std::fmt;

/// A tree of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter<T> {
    All(Vec<Filter<T>>),
    Any(Vec<Filter<T>>),
    Not(Box<Filter<T>>),
    Test(T),
}

impl<T> Filter<T> {
    /// Every test in it.
    pub fn tests(&self) -> Vec<&T> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(inner) => inner.tests(),
            Self::Test(test) => vec![test],
        }
    }

    /// The filter that everything passes.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }
}

/// One comparison as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison<'a> {
    pub field: &'a str,
    pub operator: Operator,
    pub value: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
}

/// Where a filter is wrong, counted in characters from 1, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    pub position: usize,
    pub message: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.position, self.message)
    }
}

/// Characters that end a word, in addition to whitespace and parentheses.
const SIGNS: &str = "\"'=!<>:,";

pub const LONGEST: usize = 2000;
const DEEPEST: usize = 20;

/// How many tests a filter may have: a database's planning time grows faster than their number.
pub const MOST_TESTS: usize = 50;

/// What a test costs.
pub trait Weighed {
    /// How many tests it counts as.
    fn weight(&self) -> usize {
        1
    }
}

/// Parses `text`. `test` turns each comparison into a filter, or says what is wrong with it.
pub fn parse<T: Weighed>(
    text: &str,
    test: impl Fn(Comparison<'_>) -> Result<Filter<T>, String>,
) -> Result<Filter<T>, FilterError> {
    if text.chars().count() > LONGEST {
        let message = format!("the filter is longer than {LONGEST} characters");
        return Err(FilterError { position: LONGEST + 1, message });
    }
    let mut parser = Parser { text, at: 0, depth: 0, weight: 0, test };
    if parser.peek().is_none() {
        return Ok(Filter::everything());
    }
    let filter = parser.all()?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.error(parser.at, "expected AND, OR or the end of the filter")),
    }
}

struct Parser<'a, F> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// How many tests there are up to here.
    weight: usize,
    test: F,
}

impl<'a, T: Weighed, F: Fn(Comparison<'_>) -> Result<Filter<T>, String>> Parser<'a, F> {
    fn all(&mut self) -> Result<Filter<T>, FilterError> {
        let mut parts = vec![self.any()?];
        while self.take_word("AND") {
            parts.push(self.any()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn any(&mut self) -> Result<Filter<T>, FilterError> {
        let mut parts = vec![self.term()?];
        while self.take_word("OR") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn term(&mut self) -> Result<Filter<T>, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(self.at, "the filter is nested too deeply"));
        }
        let filter = if self.take_word("NOT") {
            Filter::Not(Box::new(self.term()?))
        } else if self.take("(") {
            let inner = self.all()?;
            if !self.take(")") {
                return Err(self.error(self.at, "expected )"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter<T>, FilterError> {
        self.peek();
        let start = self.at;
        let field = self.word();
        if field.is_empty() {
            return Err(self.error(start, "expected a field name"));
        }
        let operator = self.operator()?;
        self.peek();
        let value_start = self.at;
        let value = self.value()?;
        let filter = (self.test)(Comparison { field, operator, value: &value }).map_err(|message| {
            let at = if message.starts_with("unknown field") { start } else { value_start };
            self.error(at, &message)
        })?;
        self.weight += weight(&filter);
        if self.weight > MOST_TESTS {
            let message = format!(
                "the filter has more than {MOST_TESTS} comparisons; each word of a text counts as one, and each of permissions as ten"
            );
            return Err(self.error(start, &message));
        }
        Ok(filter)
    }

    fn operator(&mut self) -> Result<Operator, FilterError> {
        const OPERATORS: [(&str, Operator); 7] = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
            (":", Operator::Has),
        ];
        for (sign, operator) in OPERATORS {
            if self.take(sign) {
                return Ok(operator);
            }
        }
        Err(self.error(self.at, "expected one of = != < <= > >= :"))
    }

    fn value(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let Some(quote) = self.peek().filter(|next| matches!(next, '"' | '\'')) else {
            let word = self.word();
            return match self.text[self.at..].chars().next() {
                _ if word.is_empty() => Err(self.error(start, "expected a value")),
                Some(next) if SIGNS.contains(next) => Err(self.unquoted(start, next)),
                _ => Ok(word.to_owned()),
            };
        };
        let mut value = String::new();
        let mut characters = self.text[start..].char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            if character == quote {
                self.at = start + offset + 1;
                return Ok(value);
            }
            match (character, characters.clone().next()) {
                ('\\', Some((_, escaped))) => {
                    value.push(escaped);
                    characters.next();
                }
                _ => value.push(character),
            }
        }
        Err(self.error(start, "the closing quote is missing"))
    }

    /// The error for a value without quotes that contains `sign`, as times and many tags do.
    fn unquoted(&self, start: usize, sign: char) -> FilterError {
        let rest = &self.text[start..];
        let end = rest.find(|next: char| next.is_whitespace() || "()".contains(next));
        let value = &rest[..end.unwrap_or(rest.len())];
        self.error(start, &format!("a value that contains {sign} needs quotes: write {value:?}"))
    }

    /// The next character that is not whitespace.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn word(&mut self) -> &'a str {
        self.peek();
        let rest = &self.text[self.at..];
        let end = rest
            .find(|next: char| next.is_whitespace() || "()".contains(next) || SIGNS.contains(next))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, sign: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        self.peek();
        let start = self.at;
        if self.word() == keyword {
            return true;
        }
        self.at = start;
        false
    }

    fn error(&self, at: usize, message: &str) -> FilterError {
        FilterError { position: self.text[..at].chars().count() + 1, message: message.to_owned() }
    }
}

fn weight<T: Weighed>(filter: &Filter<T>) -> usize {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().map(weight).sum(),
        Filter::Not(inner) => weight(inner),
        Filter::Test(test) => test.weight(),
    }
}

#[cfg(test)]
mod tests;
