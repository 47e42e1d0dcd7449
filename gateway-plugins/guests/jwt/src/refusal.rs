//! Why a token is refused, in Kong's words.

use plugin_sdk::{
    jwt::{Problem, Refusal},
    serde_json::{Map, Value},
};

/// Why a token is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This is what is said.
    Said(String),
    /// This is wrong with its claims: JSON text.
    Claims(String),
    /// That cannot be known now.
    Unavailable,
}

impl Refused {
    pub(crate) fn of(refusal: &Refusal<'_>, claim: &str) -> Self {
        Self::Said(match refusal {
            Refusal::Json => "Bad token; invalid JSON".to_owned(),
            Refusal::Type => "Bad token; invalid typ".to_owned(),
            Refusal::UnknownAlgorithm => "Bad token; invalid alg".to_owned(),
            // Kong has no words for these.
            Refusal::Unsupported => "Bad token; unsupported header".to_owned(),
            Refusal::TooLong => "Bad token; too long".to_owned(),
            Refusal::Algorithm => "Invalid algorithm".to_owned(),
            Refusal::NoClaim => format!("No mandatory '{claim}' in claims"),
            Refusal::Claim => format!("Invalid '{claim}' in claims"),
            Refusal::NoCredential => return Self::unknown(claim),
            Refusal::NoKey | Refusal::Key => "Invalid key/secret".to_owned(),
            Refusal::Signature => "Invalid signature".to_owned(),
            Refusal::Claims(problems) => return Self::Claims(said(problems)),
            Refusal::Unavailable => return Self::Unavailable,
        })
    }

    /// There is no such credential.
    pub(crate) fn unknown(claim: &str) -> Self {
        Self::Said(format!("No credentials found for given '{claim}'"))
    }
}

/// What is wrong with each claim. How far away `exp` is, is only asked where nothing else is wrong.
fn said(problems: &[(&str, Problem)]) -> String {
    let others = problems.iter().any(|(_, problem)| *problem != Problem::TooLong);
    let problems = problems.iter().filter(|(_, problem)| !others || *problem != Problem::TooLong);
    let claims = problems.map(|(claim, problem)| {
        let said = match problem {
            Problem::Expired => "token expired",
            Problem::NotYet => "token not valid yet",
            Problem::NotANumber => "must be a number",
            Problem::TooLong => "exceeds maximum allowed expiration",
            Problem::Other => "invalid",
        };
        ((*claim).to_owned(), Value::from(said))
    });
    Value::Object(claims.collect::<Map<_, _>>()).to_string()
}

#[cfg(test)]
mod tests {
    use plugin_sdk::jwt::{Problem, Refusal};

    use super::Refused;

    #[test]
    fn every_reason_has_its_words() {
        for (refusal, said) in [
            (Refusal::Json, "Bad token; invalid JSON"),
            (Refusal::Type, "Bad token; invalid typ"),
            (Refusal::UnknownAlgorithm, "Bad token; invalid alg"),
            (Refusal::Unsupported, "Bad token; unsupported header"),
            (Refusal::TooLong, "Bad token; too long"),
            (Refusal::Algorithm, "Invalid algorithm"),
            (Refusal::NoClaim, "No mandatory 'sub' in claims"),
            (Refusal::Claim, "Invalid 'sub' in claims"),
            (Refusal::NoCredential, "No credentials found for given 'sub'"),
            (Refusal::Key, "Invalid key/secret"),
            (Refusal::Signature, "Invalid signature"),
        ] {
            assert_eq!(Refused::of(&refusal, "sub"), Refused::Said(said.to_owned()));
        }
        for (problems, said) in [
            (vec![("exp", Problem::Expired)], r#"{"exp":"token expired"}"#),
            (vec![("exp", Problem::NotANumber)], r#"{"exp":"must be a number"}"#),
            (
                vec![("exp", Problem::Expired), ("nbf", Problem::NotYet)],
                r#"{"exp":"token expired","nbf":"token not valid yet"}"#,
            ),
            (vec![("exp", Problem::TooLong)], r#"{"exp":"exceeds maximum allowed expiration"}"#),
            (vec![("nbf", Problem::NotYet), ("exp", Problem::TooLong)], r#"{"nbf":"token not valid yet"}"#),
        ] {
            assert_eq!(Refused::of(&Refusal::Claims(problems), "iss"), Refused::Claims(said.to_owned()));
        }
    }
}
