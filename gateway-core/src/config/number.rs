//! Numbers as JSON has them: a whole one is written without a fraction.

use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

/// `number` as JSON: `1` and not `1.0` where it is whole, null where it is none. What Kong writes has this form, and its
/// clients take such numbers into integers.
///
/// ```
/// use gateway_core::config::number;
///
/// assert_eq!([1.0, 0.5].map(|seconds| number(seconds).to_string()), ["1", "0.5"]);
/// ```
#[must_use]
pub fn number(number: f64) -> Value {
    match whole(number) {
        Some(integer) => integer.into(),
        None => Number::from_f64(number).map_or(Value::Null, Value::Number),
    }
}

/// The integer that a number is, if it is one.
pub(super) fn whole(number: f64) -> Option<i64> {
    /// Beyond it not every integer is a number of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// The same value with its numbers in this form.
pub(super) fn normal(value: Value) -> Value {
    match value {
        Value::Number(float) if float.is_f64() => float.as_f64().map_or(Value::Null, number),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        other => other,
    }
}

/// For fields of entities: `#[serde(serialize_with = "number::serialize")]`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    self::number(*number).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{normal, number};

    #[test]
    fn a_whole_number_has_no_fraction() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (0.5, "0.5"),
            (1_795_307_250.666, "1795307250.666"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (1e300, "1e+300"),
            (f64::NAN, "null"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value).to_string(), text);
        }
        let value = json!({ "a": [1.0, { "b": 2.0 }], "c": 2.5, "d": u64::MAX });
        assert_eq!(normal(value).to_string(), r#"{"a":[1,{"b":2}],"c":2.5,"d":18446744073709551615}"#);
    }
}
