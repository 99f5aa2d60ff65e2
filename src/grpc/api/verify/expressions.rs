//! Permission expressions, parsed once: services ask the same few again and again.

use std::sync::{Arc, LazyLock};

use domain::access::{Expression, ExpressionFault};
use moka::sync::Cache;

/// How many bytes the parsed expressions may take.
const CAPACITY: u64 = 8 * 1024 * 1024;

type Expressions = Cache<Box<str>, Arc<Expression>, foldhash::quality::RandomState>;

static PARSED: LazyLock<Expressions> = LazyLock::new(|| {
    Cache::<Box<str>, Arc<Expression>>::builder()
        .max_capacity(CAPACITY)
        .weigher(|text, expression| weight(text, expression))
        .build_with_hasher(foldhash::quality::RandomState::default())
});

/// The expression that `text` is. What cannot be parsed is not kept.
pub(super) fn read(text: &str) -> Result<Arc<Expression>, ExpressionFault> {
    if let Some(expression) = PARSED.get(text) {
        return Ok(expression);
    }
    let expression = Arc::new(Expression::parse(text)?);
    PARSED.insert(text.into(), expression.clone());
    Ok(expression)
}

/// The text, the expression, and the bookkeeping of moka.
fn weight(text: &str, expression: &Expression) -> u32 {
    const BOOKKEEPING: usize = 300;
    u32::try_from(BOOKKEEPING + text.len() + expression.size()).unwrap_or(u32::MAX)
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
}
