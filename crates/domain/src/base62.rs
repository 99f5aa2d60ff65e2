//! Fixed-width base62: digits, upper case, lower case; its order is the order of the numbers.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The width that holds any 128-bit number.
pub(super) const WIDTH_128: usize = 22;
/// The width that holds any 32-bit number.
pub(super) const WIDTH_32: usize = 6;

const NO_DIGIT: u8 = u8::MAX;
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Appends `number` in exactly `width` digits, which must be enough for it.
pub(super) fn encode_into(text: &mut String, mut number: u128, width: usize) {
    let mut digits = [0; WIDTH_128];
    for digit in digits[..width].iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    debug_assert_eq!(number, 0, "the width is too small");
    text.extend(digits[..width].iter().map(|digit| char::from(*digit)));
}

/// The number, or `None` for a foreign character or a value beyond 128 bits.
pub(super) fn decode(text: &[u8]) -> Option<u128> {
    // Ten digits fit in 64 bits, where arithmetic is cheap.
    const STRIDE: usize = 10;
    let (first, rest) = text.split_at(text.len() % STRIDE);
    rest.chunks_exact(STRIDE).try_fold(u128::from(decode_short(first)?), |number, digits| {
        number
            .checked_mul(const { 62u128.pow(STRIDE as u32) })?
            .checked_add(u128::from(decode_short(digits)?))
    })
}

/// At most ten digits.
fn decode_short(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    let mut foreign = false;
    for character in digits {
        let digit = DIGITS[usize::from(*character)];
        foreign |= digit == NO_DIGIT;
        number = number * 62 + u64::from(digit & 0x3f);
    }
    (!foreign).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trips(number: u128) {
            let mut text = String::new();
            encode_into(&mut text, number, WIDTH_128);
            prop_assert_eq!(text.len(), WIDTH_128);
            prop_assert_eq!(decode(text.as_bytes()), Some(number));
        }
    }

    #[test]
    fn refuses_texts_that_are_not_a_number_of_128_bits() {
        assert_eq!(decode(b"zzzzzzzzzzzzzzzzzzzzzz"), None);
        assert_eq!(decode(b"00-0"), None);
    }
}
