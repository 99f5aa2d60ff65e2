//! Pages on the wire: size, opaque token, order.

use domain::{
    Invalid,
    page::{Cursor, Order, Page},
};
use prost::Message;

use crate::verbs::{Error, Listing};

use super::faults::Faults;

const DEFAULT_SIZE: u64 = 50;
const LARGEST_SIZE: u64 = 1000;

/// Bytes of a page, well below the 4 MiB that clients take. A page that ends for this has fewer entries than asked for.
const LARGEST_PAGE: usize = 3 * 1024 * 1024;
/// What the list adds to each of its messages: number and length.
const IN_A_LIST: usize = 6;

/// Which page of which listing a request asks for.
#[derive(Debug)]
pub(in crate::grpc) struct PageRequest<'a> {
    /// Everything that makes the listing what it is: the method, parent, filter, order and the like.
    pub(in crate::grpc) listing: String,
    pub(in crate::grpc) size: i32,
    pub(in crate::grpc) token: &'a str,
}

impl PageRequest<'_> {
    pub(in crate::grpc) fn page<K>(
        &self,
        faults: &mut Faults,
        order: Option<Order<K>>,
    ) -> Result<Option<Page<K>>, Error> {
        let size = match u64::try_from(self.size) {
            Ok(0) => Some(DEFAULT_SIZE),
            Ok(size) => Some(size.min(LARGEST_SIZE)),
            Err(_) => faults.take("page_size", Err(Invalid::new("must not be negative"))),
        };
        let after = if self.token.is_empty() {
            None
        } else {
            let cursor = Cursor::from_token(self.token, &self.listing);
            Some(cursor.ok_or(Error::InvalidPageToken)?)
        };
        Ok(size.zip(order).map(|(size, order)| Page { size, order, after }))
    }

    /// As many of `listing` as one answer carries, and the token of the page behind them; it is empty when there is none.
    pub(in crate::grpc) fn cut<T, M: Message>(
        &self,
        listing: Listing<T>,
        message: fn(T) -> M,
    ) -> (Vec<M>, String) {
        let Listing { items, cursors, more } = listing;
        let (mut page, mut bytes) = (Vec::with_capacity(items.len()), 0);
        let all = items.len();
        for item in items {
            let message = message(item);
            bytes += message.encoded_len() + IN_A_LIST;
            if bytes > LARGEST_PAGE && !page.is_empty() {
                break;
            }
            page.push(message);
        }
        let last = cursors.into_iter().take(page.len()).next_back();
        let last = last.filter(|_| more || page.len() < all);
        (page, last.map(|cursor| cursor.to_token(&self.listing)).unwrap_or_default())
    }
}
