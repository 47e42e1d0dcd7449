//! As much of WebSocket as a tunnel must know to end one politely (RFC 6455 section 5.2).

/// The status of a server that goes away (RFC 6455 section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// The frames of one direction as they go by.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; 14],
    /// How much of a header has come.
    len: u8,
    /// How much of a payload has not.
    payload: u64,
}

impl Frames {
    /// Whether all frames so far were whole, so that another may be put in.
    pub(super) const fn at_boundary(&self) -> bool {
        self.len == 0 && self.payload == 0
    }

    /// Takes note of bytes that went by.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let taken = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= taken as u64;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            self.push(*first);
            bytes = rest;
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
        }
        let [_, second, long @ ..] = self.header;
        let (extended, mask) = (extended(second), if second & 0x80 == 0 { 0 } else { 4 });
        if self.len >= 2 && usize::from(self.len) == 2 + extended + mask {
            let length = long.iter().take(extended).fold(0, |length, byte| length << 8 | u64::from(*byte));
            self.payload = if extended == 0 { u64::from(second & 0x7f) } else { length };
            self.len = 0;
        }
    }
}

/// How many bytes of length follow the second byte.
const fn extended(second: u8) -> usize {
    match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    }
}

/// "Going away", as a server says it.
pub(super) const fn goodbye() -> [u8; 4] {
    let [high, low] = GOING_AWAY;
    [0x88, 0x02, high, low]
}

/// "Going away", as a client says it: under a mask (RFC 6455 section 5.3).
pub(super) const fn masked_goodbye(mask: [u8; 4]) -> [u8; 8] {
    let ([high, low], [a, b, c, d]) = (GOING_AWAY, mask);
    [0x88, 0x82, a, b, c, d, high ^ a, low ^ b]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(payload: usize, mask: bool) -> Vec<u8> {
        let bit = if mask { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match payload {
            0..=125 => frame.push(bit | u8::try_from(payload).unwrap()),
            126..=0xffff => {
                frame.push(bit | 126);
                frame.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(bit | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([0xaa; 4].iter().take(if mask { 4 } else { 0 }));
        frame.extend(vec![0xff; payload]);
        frame
    }

    #[test]
    fn a_goodbye_is_a_whole_frame_either_way() {
        for bytes in [&goodbye()[..], &masked_goodbye([1, 2, 3, 4])] {
            let mut frames = Frames::default();
            frames.pass(bytes);
            assert!(frames.at_boundary());
        }
        assert_eq!(masked_goodbye([0; 4])[6..], goodbye()[2..]);
    }

    proptest! {
        #[test]
        fn a_boundary_is_where_a_frame_ends(
            sizes in prop::collection::vec((prop_oneof![0..130_usize, 65_530..65_540_usize], any::<bool>()), 1..5),
            splits in prop::collection::vec(1..70_000_usize, 1..20),
        ) {
            let frames: Vec<Vec<u8>> = sizes.iter().map(|(size, mask)| frame(*size, *mask)).collect();
            let mut ends = frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) }).collect::<Vec<_>>();
            ends.push(0);
            let (bytes, mut seen, mut at) = (frames.concat(), Frames::default(), 0);
            for split in splits.iter().cycle() {
                let next = (at + split).min(bytes.len());
                seen.pass(&bytes[at..next]);
                at = next;
                prop_assert_eq!(seen.at_boundary(), ends.contains(&at));
                if at == bytes.len() { break }
            }
        }
    }
}
