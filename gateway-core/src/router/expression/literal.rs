//! What a predicate compares with.

use std::{
    fmt::{self, Write},
    net::IpAddr,
};

use ipnet::IpNet;

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Number(i64),
    Address(IpAddr),
    Network(IpNet),
}

impl Literal {
    /// Kong's word for its type.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a String",
            Self::Number(_) => "an Int",
            Self::Address(_) => "an IpAddr",
            Self::Network(_) => "an IpCidr",
        }
    }

    /// Reads a number, an address or a range.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return network(text).map(Self::Network);
        }
        if text.contains([':', '.']) {
            let address = text.parse().map_err(|_| format!("`{text}` is no IPv4 or IPv6 address"))?;
            return Ok(Self::Address(address));
        }
        number(text).map(Self::Number)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text
        .parse()
        .map_err(|_| format!("`{text}` is no range of addresses: write 10.0.0.0/8 or fd00::/8"))?;
    if network.trunc() != network {
        // What its author meant is not clear, so Kong does not take it either.
        return Err(format!("host part of address was not zero: the range is {}", network.trunc()));
    }
    Ok(network)
}

/// Decimal, `0x` hexadecimal or `0` octal, of 64 bits with a sign.
fn number(text: &str) -> Result<i64, String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (kind, radix, digits) = if let Some(digits) = digits.strip_prefix("0x") {
        ("hexadecimal", 16, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        ("octal", 8, digits)
    } else {
        ("decimal", 10, digits)
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(format!("`{text}` is no {kind} number"));
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix)
        .map_err(|_| format!("`{text}` does not fit: a number has 64 bits with its sign"))
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quote(text, f),
            Self::Number(number) => number.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// Writes `text` between quotation marks, so that it is read as the same.
pub(super) fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            letter => f.write_char(letter),
        }?;
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_bases_and_a_sign() {
        for (text, value) in [
            ("0", 0),
            ("123", 123),
            ("-123", -123),
            ("0x1fF", 511),
            ("-0x123", -291),
            ("0751", 489),
            ("-0123", -83),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(Literal::parse(text), Ok(Literal::Number(value)), "{text}");
        }
        for text in ["", "-", "0x", "08", "1a", "0xg", "9223372036854775808", "--1", "+1", "0X1"] {
            assert!(Literal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_and_ranges_are_of_both_families() {
        for text in ["192.168.0.1", "fd00::1", "::", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::ffff:1.2.3.4"]
        {
            assert_eq!(Literal::parse(text).unwrap().to_string(), text);
        }
        for text in ["1.2.3", "1.2.3.256", "01.2.3.4", "fd00:::1", "10.0.0.1/8", "10.0.0.0/33", "fd00::1/64"]
        {
            assert!(Literal::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Literal::parse("192.168.0.1/24").unwrap_err(),
            "host part of address was not zero: the range is 192.168.0.0/24"
        );
    }
}
