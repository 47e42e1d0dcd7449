//! Ranges of addresses.

use std::net::IpAddr;

/// Addresses that begin with the same bits (RFC 4632, RFC 4291 section 2.3). Those of IPv4 are in no range of IPv6, but those
/// that stand for them (`::ffff:10.0.0.0/104`, RFC 4291 section 2.5.5.2) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    V4 { bits: u32, mask: u32 },
    V6 { bits: u128, mask: u128 },
}

/// The ranges in a list.
///
/// # Errors
/// One that is none, in the gateway's words.
pub(crate) fn list(texts: Option<Vec<String>>) -> Result<Vec<Range>, String> {
    let parse = |text: String| Range::parse(&text).ok_or(format!("invalid ip or cidr range: '{text}'"));
    texts.into_iter().flatten().map(parse).collect()
}

impl Range {
    /// An address, or an address, a slash and how many of its bits count.
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let length = length.map(str::parse::<u32>).transpose().ok()?;
        Some(match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(ip) => {
                let mask = mask(length, 32)? as u32;
                Self::V4 { bits: u32::from(ip) & mask, mask }
            }
            IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() && length.is_none_or(|bits| bits >= 96) => {
                let mask = mask(length, 128)? as u32;
                Self::V4 { bits: u128::from(ip) as u32 & mask, mask }
            }
            IpAddr::V6(ip) => {
                let mask = mask(length, 128)?;
                Self::V6 { bits: u128::from(ip) & mask, mask }
            }
        })
    }

    pub(crate) fn holds(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4 { bits, mask }, IpAddr::V4(ip)) => u32::from(ip) & mask == bits,
            (Self::V6 { bits, mask }, IpAddr::V6(ip)) => u128::from(ip) & mask == bits,
            _ => false,
        }
    }
}

/// The first `length` of `all` bits, counted from the upper end; all of them where nothing is said.
fn mask(length: Option<u32>, all: u32) -> Option<u128> {
    let length = length.unwrap_or(all);
    let rest = all.checked_sub(length)?;
    Some(u128::MAX.checked_shl(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn a_range_holds_what_begins_as_it_does() {
        for (range, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.255.0.1", "11.0.0.1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1"),
            ("::ffff:0:0/96", "203.0.113.9", "::1"),
        ] {
            let range = Range::parse(range).unwrap();
            assert!(range.holds(inside.parse().unwrap()), "{range:?} {inside}");
            assert!(!range.holds(outside.parse().unwrap()), "{range:?} {outside}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in
            ["", "10", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "a.example", "10.0.0.0/8/8"]
        {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}
