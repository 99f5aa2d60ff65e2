//! One page of a listing.

use domain::page::Cursor;

#[derive(Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// The position of each: a page that ends with it is continued behind it.
    pub cursors: Vec<Cursor>,
    /// Whether there are others behind the last.
    pub more: bool,
}

impl<T> Listing<T> {
    /// Makes a page of `size` out of the one row more that was asked for to see whether it is the last.
    pub(super) fn cut(mut items: Vec<T>, size: u64, cursor: impl Fn(&T) -> Cursor) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let cursors = items.iter().map(cursor).collect();
        Self { items, cursors, more }
    }

    pub(super) fn with<U>(self, items: Vec<U>) -> Listing<U> {
        Listing { items, cursors: self.cursors, more: self.more }
    }
}
