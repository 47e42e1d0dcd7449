//! The id of a request.

use std::fmt;

/// A request's id: 128 random bits, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// A new id. It is unique, not secret: the generator is not cryptographic.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u128(..))
    }

    /// Its 32 digits, without an allocation.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (eight, four) in digits.chunks_exact_mut(8).zip(self.0.to_be_bytes().chunks_exact(4)) {
            let four = four.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
            eight.copy_from_slice(&eight_digits(four));
        }
        digits
    }
}

/// The digits of a 32-bit number, all eight at a time: each request has its id written twice.
const fn eight_digits(number: u64) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // One nibble to a byte.
    let number = (number | (number << 16)) & 0x0000_ffff_0000_ffff;
    let number = (number | (number << 8)) & 0x00ff_00ff_00ff_00ff;
    let number = (number | (number << 4)) & (0x0f * ONES);
    // A byte of ten or more carries into its upper half once six is added: it becomes a letter.
    let letters = ((number + 6 * ONES) >> 4) & ONES;
    (number + ONES * b'0' as u64 + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RequestId;

    proptest! {
        #[test]
        fn digits_are_hexadecimal(id: u128) {
            let digits = RequestId(id).digits();
            prop_assert_eq!(String::from_utf8_lossy(&digits), format!("{id:032x}"));
        }
    }
}
