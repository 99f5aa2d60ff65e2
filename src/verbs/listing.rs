//! One page of a listing.

use domain::page::{Cursor, Page};

use crate::ports::StoreError;

#[derive(Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// The position of each: a page that ends with it is continued behind it.
    pub cursors: Vec<Cursor>,
    /// Whether there are others behind the last.
    pub more: bool,
}

/// How many rows that may be large are read at once.
const PORTION: u64 = 50;

/// A page ends when its rows take so many bytes: more than a response may have.
const ENOUGH: usize = 4 * 1024 * 1024;

impl<T> Listing<T> {
    /// Makes a page of `size` out of the one row more that was asked for to see whether it is the last.
    pub(super) fn cut(mut items: Vec<T>, size: u64, cursor: impl Fn(&T) -> Cursor) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let cursors = items.iter().map(cursor).collect();
        Self { items, cursors, more }
    }

    /// A page of rows that may be large, read in portions, so that no more of them are in memory than a response needs. `bytes`
    /// is a lower bound for what a row takes in the response.
    pub(super) async fn in_portions<K: Copy, F>(
        page: Page<K>,
        cursor: impl Fn(&T) -> Cursor,
        bytes: impl Fn(&T) -> usize,
        read: impl Fn(Page<K>) -> F,
    ) -> Result<Self, StoreError>
    where
        F: Future<Output = Result<Vec<T>, StoreError>>,
    {
        let mut listing = Self { items: Vec::new(), cursors: Vec::new(), more: true };
        let (mut left, mut after, mut taken) = (page.size, page.after, 0);
        while listing.more && left > 0 && taken < ENOUGH {
            let size = left.min(PORTION);
            let portion = Page { size, order: page.order, after };
            let Self { items, cursors, more } = Self::cut(read(portion.and_one()).await?, size, &cursor);
            left -= size;
            taken += items.iter().map(&bytes).sum::<usize>();
            after = cursors.last().cloned();
            listing.more = more;
            listing.items.extend(items);
            listing.cursors.extend(cursors);
        }
        Ok(listing)
    }

    pub(super) fn with<U>(self, items: Vec<U>) -> Listing<U> {
        Listing { items, cursors: self.cursors, more: self.more }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use domain::page::{Id, Order, SortValue};

    use super::*;

    /// A page of `size` out of `rows` rows of so many bytes each, behind the row `after`, with the most rows that were read at once.
    async fn page(rows: i64, bytes: usize, size: u64, after: Option<i64>) -> (Listing<i64>, u64) {
        let cursor = |row: &i64| Cursor { value: SortValue::Number(*row), id: Id::None };
        let most = AtomicU64::new(0);
        let read = |page: Page<()>| {
            most.fetch_max(page.size, Relaxed);
            let first = page.after.map_or(0, |after| match after.value {
                SortValue::Number(row) => row + 1,
                SortValue::Text(_) => unreachable!("they are numbers"),
            });
            let last = rows.min(first + i64::try_from(page.size).unwrap());
            std::future::ready(Ok((first..last).collect()))
        };
        let after = after.map(|row| cursor(&row));
        let page = Page { size, order: Order { by: (), descending: false }, after };
        let listing = Listing::in_portions(page, cursor, |_| bytes, read).await.unwrap();
        assert_eq!(listing.items.len(), listing.cursors.len());
        (listing, most.into_inner())
    }

    #[tokio::test]
    async fn small_rows_fill_the_page() {
        for (rows, size, expected, more) in [
            (0, 10, 0, false),
            (10, 10, 10, false),
            (11, 10, 10, true),
            (200, 120, 120, true),
            (120, 1000, 120, false),
        ] {
            let (listing, most) = page(rows, 100, size, None).await;
            assert_eq!((listing.items.len(), listing.more), (expected, more), "{rows} rows, {size} a page");
            assert!(most <= PORTION + 1);
        }
    }

    #[tokio::test]
    async fn large_rows_end_it_early_and_none_is_lost() {
        let mut seen = Vec::new();
        loop {
            let (listing, most) = page(200, ENOUGH / 60, 1000, seen.last().copied()).await;
            assert!(most <= PORTION + 1 && listing.items.len() <= 100);
            seen.extend(listing.items);
            if !listing.more {
                break;
            }
        }
        assert!(seen.into_iter().eq(0..200));
    }
}
