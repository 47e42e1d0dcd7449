//! What claims say of when and where a token is good.

use plugin_contract::jwt::{Demand, Problem, Verifier as Spec};
use serde_json::{Map, Value};

/// What a verifier wants of claims.
pub(super) struct Wanted {
    expires: Demand,
    begins: Demand,
    leeway: f64,
    longest: u64,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

/// The times of a token, as far as they count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    expires: Option<f64>,
    begins: Option<f64>,
}

/// Claims, and what is wrong with each.
pub(super) type Problems = Vec<(&'static str, Problem)>;

impl Wanted {
    pub(super) fn of(spec: &Spec<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            expires: spec.expires,
            begins: spec.begins,
            leeway: spec.leeway.into(),
            longest: spec.longest,
            issuers: owned(&spec.issuers),
            audiences: owned(&spec.audiences),
        }
    }

    /// What does not change with time, and the times themselves.
    pub(super) fn read(&self, claims: &Map<String, Value>) -> Result<Times, Problems> {
        let mut problems = Problems::new();
        let mut time = |name, demand| match (demand, claims.get(name)) {
            (Demand::Ignored, _) | (Demand::IfThere, None) => None,
            (_, Some(Value::Number(number))) => {
                number.as_f64().filter(|seconds| *seconds >= 0.0).or_else(|| {
                    problems.push((name, Problem::NotANumber));
                    None
                })
            }
            _ => {
                problems.push((name, Problem::NotANumber));
                None
            }
        };
        let times = Times { expires: time("exp", self.expires), begins: time("nbf", self.begins) };
        let text = |value: &Value, among: &[String]| {
            value.as_str().is_some_and(|value| among.iter().any(|wanted| wanted == value))
        };
        if !self.issuers.is_empty() && !claims.get("iss").is_some_and(|value| text(value, &self.issuers)) {
            problems.push(("iss", Problem::Other));
        }
        let meant = |value: &Value| match value {
            Value::Array(all) => all.iter().any(|value| text(value, &self.audiences)),
            one => text(one, &self.audiences),
        };
        if !self.audiences.is_empty() && !claims.get("aud").is_some_and(meant) {
            problems.push(("aud", Problem::Other));
        }
        if problems.is_empty() { Ok(times) } else { Err(problems) }
    }

    /// Whether the times let a token through at `now`.
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age have 31 bits")]
    pub(super) fn check(&self, times: Times, now: u64) -> Result<(), Problems> {
        let now = now as f64;
        let mut problems = Problems::new();
        if times.expires.is_some_and(|expires| expires + self.leeway <= now) {
            problems.push(("exp", Problem::Expired));
        }
        if times.begins.is_some_and(|begins| begins - self.leeway > now) {
            problems.push(("nbf", Problem::NotYet));
        }
        let far = |expires: f64| expires - now > self.longest as f64;
        if self.longest > 0 && times.expires.is_none_or(far) {
            problems.push(("exp", Problem::TooLong));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::jwt::{Demand, Keys, Problem, Verifier as Spec};
    use serde_json::{Value, json};

    use super::{Problems, Wanted};

    fn spec() -> Spec<'static> {
        Spec {
            algorithms: Vec::new(),
            keys: Keys::Pem(""),
            expires: Demand::Required,
            begins: Demand::IfThere,
            leeway: 10,
            longest: 0,
            issuers: Vec::new(),
            audiences: Vec::new(),
            types: Vec::new(),
        }
    }

    fn problems(spec: &Spec<'_>, claims: &Value) -> Problems {
        let wanted = Wanted::of(spec);
        let read = wanted.read(claims.as_object().unwrap());
        read.and_then(|times| wanted.check(times, 1000)).err().unwrap_or_default()
    }

    #[test]
    fn times_are_numbers_and_count() {
        for (claims, expected) in [
            (json!({ "exp": 1001 }), None),
            (json!({ "exp": 991 }), None),
            (json!({ "exp": 990 }), Some(("exp", Problem::Expired))),
            (json!({ "exp": 1001.5, "nbf": 1010 }), None),
            (json!({ "exp": 2000, "nbf": 1011 }), Some(("nbf", Problem::NotYet))),
            (json!({}), Some(("exp", Problem::NotANumber))),
            (json!({ "exp": "2000" }), Some(("exp", Problem::NotANumber))),
            (json!({ "exp": -1 }), Some(("exp", Problem::NotANumber))),
            (json!({ "exp": null }), Some(("exp", Problem::NotANumber))),
            (json!({ "exp": 2000, "nbf": [1] }), Some(("nbf", Problem::NotANumber))),
        ] {
            assert_eq!(problems(&spec(), &claims), Vec::from_iter(expected), "{claims}");
        }
        let far = Spec { longest: 100, ..spec() };
        assert_eq!(problems(&far, &json!({ "exp": 1101 })), [("exp", Problem::TooLong)]);
        assert_eq!(problems(&far, &json!({ "exp": 1100 })), []);
        let ignored = Spec { expires: Demand::Ignored, ..spec() };
        assert_eq!(problems(&ignored, &json!({ "exp": "x" })), []);
    }

    #[test]
    fn issuer_and_audience_are_the_same_to_the_letter() {
        let spec = Spec { issuers: vec!["https://a"], audiences: vec!["x", "y"], ..spec() };
        let claims = |iss: Value, aud: Value| json!({ "exp": 2000, "iss": iss, "aud": aud });
        assert_eq!(problems(&spec, &claims(json!("https://a"), json!("y"))), []);
        assert_eq!(problems(&spec, &claims(json!("https://a"), json!(["z", "x"]))), []);
        let (iss, aud) = (("iss", Problem::Other), ("aud", Problem::Other));
        assert_eq!(problems(&spec, &claims(json!("https://a/"), json!("x"))), [iss]);
        assert_eq!(problems(&spec, &claims(json!(["https://a"]), json!("xy"))), [iss, aud]);
        assert_eq!(problems(&spec, &claims(json!("https://a"), json!({ "x": 1 }))), [aud]);
        assert_eq!(problems(&spec, &json!({ "exp": 2000 })), [iss, aud]);
    }
}
