//! The codec of all services: requests are checked on their bytes before they are decoded.

use std::marker::PhantomData;

use bytes::Buf;
use prost::{Message, Name};
use tonic::{
    Status,
    codec::{BufferSettings, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::{entries, transport_status};

/// The codec that the generated services use.
#[derive(Debug)]
pub(crate) struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Checked<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Checked<U> {
        Checked(PhantomData)
    }
}

/// Decodes a request only if the lengths of its lists are within bounds.
#[derive(Debug)]
pub(crate) struct Checked<U>(PhantomData<U>);

/// Messages up to this size, which nearly all are, are not checked: they cost little whatever they hold.
const SMALL: usize = 4096;

impl<U: Message + Name + Default> Decoder for Checked<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if buffer.remaining() > SMALL {
            // A request is contiguous in memory.
            entries::check(&U::full_name(), buffer.chunk())?;
        }
        U::decode(buffer).map(Some).map_err(transport_status::malformed_message)
    }
}
