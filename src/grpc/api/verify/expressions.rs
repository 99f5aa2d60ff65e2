//! Permission expressions, parsed once: services ask the same few again and again.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use domain::access::{Expression, ExpressionFault};

/// How many bytes the parsed expressions of one thread may take.
const CAPACITY: usize = 1024 * 1024;

/// When it is full it starts over, which costs each expression one more parse.
#[derive(Default)]
struct Parsed {
    by_text: HashMap<Box<str>, Arc<Expression>, foldhash::quality::RandomState>,
    size: usize,
}

thread_local! {
    /// Each thread has its own: counting references to a shared one would make the processor cores wait for each other.
    static PARSED: RefCell<Parsed> = RefCell::default();
}

/// The expression that `text` is. What cannot be parsed is not kept.
pub(super) fn read(text: &str) -> Result<Arc<Expression>, ExpressionFault> {
    PARSED.with_borrow_mut(|parsed| parsed.read(text))
}

impl Parsed {
    fn read(&mut self, text: &str) -> Result<Arc<Expression>, ExpressionFault> {
        if let Some(expression) = self.by_text.get(text) {
            return Ok(expression.clone());
        }
        let expression = Arc::new(Expression::parse(text)?);
        let size = size(text, &expression);
        if self.size + size > CAPACITY {
            *self = Self::default();
        }
        self.size += size;
        self.by_text.insert(text.into(), expression.clone());
        Ok(expression)
    }
}

/// The text, the expression, and what the map and the allocator add.
fn size(text: &str, expression: &Expression) -> usize {
    const BOOKKEEPING: usize = 100;
    BOOKKEEPING + text.len() + expression.size()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_parsed_once() {
        let text = "documents.read AND NOT documents.locked";
        assert!(Arc::ptr_eq(&read(text).unwrap(), &read(text).unwrap()));
        assert_eq!(read("a.*").unwrap_err().position, 3);
    }

    #[test]
    fn however_many_are_asked_few_are_kept() {
        let mut parsed = Parsed::default();
        let first = parsed.read("first").unwrap();
        for number in 0..10_000 {
            let text = format!("documents.section-{number}.read");
            assert_eq!(parsed.read(&text).unwrap().as_str(), text);
            assert!(parsed.size <= CAPACITY);
            if number == 1000 {
                assert!(Arc::ptr_eq(&first, &parsed.read("first").unwrap()), "there was room for all");
            }
        }
        let kept: usize = parsed.by_text.iter().map(|(text, expression)| size(text, expression)).sum();
        assert_eq!(kept, parsed.size);
        assert!(!Arc::ptr_eq(&first, &parsed.read("first").unwrap()), "it was dropped");
    }
}
