//! Base64 without padding, as the text in an `age` header has it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        // One byte makes two digits, two make three.
        for digit in 0..=group.len() {
            let at = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(ALPHABET[at as usize]));
        }
    }
    text
}

/// The bytes of a text; `None` unless it is exactly how so many bytes are written.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut next = bytes.iter_mut();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes() {
        let value = ALPHABET.iter().position(|other| *other == digit)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            *next.next()? = (bits >> count & 0xff) as u8;
        }
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_rfc() {
        let of = |text: &str| encode(text.as_bytes());
        let texts = [of("f"), of("fo"), of("foo"), of("foobar")];
        assert_eq!(texts, ["Zg", "Zm8", "Zm9v", "Zm9vYmFy"]);
        assert_eq!(decode("Zm8"), Some(*b"fo"));
        assert_eq!(decode::<2>("Zm9"), None, "bits that are left over");
        assert_eq!(decode::<2>("Zm8="), None);
        assert_eq!(decode::<2>("Zm9v"), None);
        assert_eq!(decode::<3>("Zm8"), None);
    }
}
