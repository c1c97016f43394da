//! Base32 (RFC 4648, lower case, no padding), in which ids are written.
//!
//! Written here for its speed: every update has two of these texts in it. Other libraries take the
//! same time for all values, so that nobody learns a key from it. These are names, nonces and
//! signatures, which everybody is told, and invitations, which stand in links.

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// No letter.
const NONE: u8 = 0xff;

/// The five bits of each letter.
const BITS: [u8; 256] = {
    let mut bits = [NONE; 256];
    let mut value = 0;
    while value < LETTERS.len() {
        bits[LETTERS[value] as usize] = value as u8;
        value += 1;
    }
    bits
};

/// The bytes and the letters of a group: 40 bits.
const BYTES: usize = 5;
const CHARS: usize = 8;

fn letters_of(group: &[u8; BYTES]) -> [u8; CHARS] {
    let [a, b, c, d, e] = *group;
    let word = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    std::array::from_fn(|at| LETTERS[(word >> (35 - 5 * at)) as usize & 31])
}

/// The bits of all the letters go into `seen`, so that one look at the end is enough.
fn bytes_of(letters: &[u8; CHARS], seen: &mut u8) -> [u8; BYTES] {
    let mut word = 0;
    for letter in letters {
        let bits = BITS[usize::from(*letter)];
        *seen |= bits;
        word = (word << 5) | u64::from(bits & 31);
    }
    let [_, _, _, bytes @ ..] = word.to_be_bytes();
    bytes
}

/// Writes bytes into a text of exactly the length that they need.
pub(crate) fn encode_base32<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    // Whole groups first: of these the compiler knows the length.
    let (groups, rest) = bytes.as_chunks();
    let (of_groups, of_rest) = text.as_chunks_mut();
    for (group, letters) in groups.iter().zip(of_groups) {
        *letters = letters_of(group);
    }
    if !rest.is_empty() {
        let mut group = [0; BYTES];
        group[..rest.len()].copy_from_slice(rest);
        of_rest.copy_from_slice(&letters_of(&group)[..of_rest.len()]);
    }
    std::str::from_utf8(text).expect("the letters are ASCII")
}

/// Reads exactly these bytes. `None` unless [`encode_base32`] makes the same text of them: a value
/// has only one spelling.
///
/// `text` must be as long as the bytes need.
pub(crate) fn decode_base32(text: &str, bytes: &mut [u8]) -> Option<()> {
    let (groups, rest) = text.as_bytes().as_chunks();
    let (of_groups, of_rest) = bytes.as_chunks_mut();
    let mut seen = 0;
    for (group, bytes) in groups.iter().zip(of_groups) {
        *bytes = bytes_of(group, &mut seen);
    }
    if !rest.is_empty() {
        let mut group = [LETTERS[0]; CHARS];
        group[..rest.len()].copy_from_slice(rest);
        let group = bytes_of(&group, &mut seen);
        let (of_bytes, unused) = group.split_at(of_rest.len());
        of_rest.copy_from_slice(of_bytes);
        // The last letter may have bits that belong to no byte.
        if unused.iter().any(|bits| *bits != 0) {
            return None;
        }
    }
    // No letter has more than five bits.
    (seen < 32).then_some(())
}

#[cfg(test)]
mod tests {
    use base32ct::{Base32Unpadded, Encoding};

    use super::*;

    /// Bytes of which no two runs are alike.
    fn bytes(seed: u8, len: usize) -> Vec<u8> {
        let mut state = u32::from(seed) + 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn it_is_what_others_call_base32() {
        for len in [5, 16, 32, 64] {
            for seed in 0..=255 {
                let bytes = bytes(seed, len);
                let known = Base32Unpadded::encode_string(&bytes);
                let mut text = vec![0; known.len()];
                assert_eq!(encode_base32(&bytes, &mut text), known);
                let mut read = vec![0; len];
                assert_eq!(decode_base32(&known, &mut read), Some(()));
                assert_eq!(read, bytes);
            }
        }
    }

    #[test]
    fn a_text_is_read_if_and_only_if_it_is_what_would_be_written() {
        for len in [5, 16, 32] {
            let mut text = vec![0; (len * 8_usize).div_ceil(5)];
            let sound = encode_base32(&bytes(1, len), &mut text).to_owned();
            for at in 0..sound.len() {
                for letter in 0..=127_u8 {
                    let mut other = sound.clone().into_bytes();
                    other[at] = letter;
                    let other = String::from_utf8(other).expect("ASCII");
                    let mut read = vec![0; len];
                    let is_read = decode_base32(&other, &mut read).is_some();
                    let mut again = vec![0; other.len()];
                    assert_eq!(
                        is_read,
                        encode_base32(&read, &mut again) == other,
                        "{other}"
                    );
                }
            }
        }
    }
}
