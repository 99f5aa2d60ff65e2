//! Pages on the wire: size, opaque token, order.

use crate::{
    domain::{
        Invalid,
        page::{Cursor, Order, Page},
    },
    service::{Error, Listing},
};

use super::faults::Faults;

const DEFAULT_SIZE: u64 = 50;
const LARGEST_SIZE: u64 = 1000;

/// Where in which listing a request wants to read.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// Everything that makes the listing what it is: the method, parent, filter, order and the like.
    pub(super) listing: String,
    pub(super) size: i32,
    pub(super) token: &'a str,
}

impl Place<'_> {
    pub(super) fn page<K>(
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

    /// The token of the page after `listing`; empty when there is none.
    pub(super) fn next<T>(&self, listing: &Listing<T>) -> String {
        listing.next.as_ref().map(|cursor| cursor.to_token(&self.listing)).unwrap_or_default()
    }
}
