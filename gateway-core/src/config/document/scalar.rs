//! What a plain YAML word means. Kong reads YAML 1.1, so `yes`, `on` and `0o17` count, too
//! (compat A50).

/// A plain word with its type found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String,
}

/// The meaning of the plain word `text`.
pub(crate) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Scalar::Boolean(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Scalar::Boolean(false)
        }
        _ => number(text).unwrap_or(Scalar::String),
    }
}

fn number(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1, text.get(1..)?),
        [b'+', ..] => (1, text.get(1..)?),
        _ => (1, text),
    };
    match digits.as_bytes() {
        [b'.', b'0'..=b'9', ..] | [b'0'..=b'9', ..] => {}
        b".inf" | b".Inf" | b".INF" => return Some(Scalar::Float(f64::INFINITY * f64::from(sign))),
        b".nan" | b".NaN" | b".NAN" => return Some(Scalar::Float(f64::NAN)),
        _ => return None,
    }
    integer(digits)
        .and_then(|integer| integer.checked_mul(sign.into()))
        .map(Scalar::Integer)
        .or_else(|| float(digits).map(|float| Scalar::Float(float * f64::from(sign))))
}

fn integer(digits: &str) -> Option<i64> {
    if digits.contains(':') {
        return sexagesimal(digits);
    }
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if digits.contains('_') {
        return i64::from_str_radix(&digits.replace('_', ""), radix).ok();
    }
    i64::from_str_radix(digits, radix).ok()
}

/// `1:30` is ninety.
fn sexagesimal(digits: &str) -> Option<i64> {
    digits.split(':').enumerate().try_fold(0_i64, |sum, (place, part)| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = part.parse().ok().filter(|number| digits && (place == 0 || *number < 60))?;
        sum.checked_mul(60)?.checked_add(number)
    })
}

fn float(digits: &str) -> Option<f64> {
    let plain =
        digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    if !plain {
        return None;
    }
    if digits.contains('_') {
        return digits.replace('_', "").parse().ok();
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Scalar, resolve};

    #[test]
    fn words_mean_what_yaml_1_1_says() {
        let cases = [
            ("", Scalar::Null),
            ("yes", Scalar::Boolean(true)),
            ("Off", Scalar::Boolean(false)),
            ("12", Scalar::Integer(12)),
            ("-1_000", Scalar::Integer(-1000)),
            ("0x1F", Scalar::Integer(31)),
            ("017", Scalar::Integer(15)),
            ("0o17", Scalar::Integer(15)),
            ("0b11", Scalar::Integer(3)),
            ("1:30", Scalar::Integer(90)),
            ("3.0", Scalar::Float(3.0)),
            ("1e3", Scalar::Float(1000.0)),
            (".5", Scalar::Float(0.5)),
            ("10.0.0.1", Scalar::String),
            ("10.0.0.1:80", Scalar::String),
            ("a:80", Scalar::String),
            ("/users", Scalar::String),
            ("-", Scalar::String),
            ("0x-1", Scalar::String),
        ];
        for (text, meaning) in cases {
            assert_eq!(resolve(text), meaning, "{text}");
        }
    }
}
