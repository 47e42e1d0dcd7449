//! Where pages come from.

use serde::Deserialize;

/// Where pages come from, as browsers say it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Origin(pub(crate) String);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let place = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match place.map(str::parse::<http::uri::Authority>) {
            Some(Ok(authority)) if !authority.as_str().contains('@') => Ok(Self(text)),
            _ => Err(format!("'{text}' is no origin such as https://console.internal:8002")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let origin = |text: &str| Origin::try_from(text.to_owned()).is_ok();
        assert!(origin("https://console.internal") && origin("http://localhost:8002"));
        for text in ["*", "null", "console.internal", "https://", "https://a/", "https://a/b", "https://u@a"]
        {
            assert!(!origin(text), "{text}");
        }
    }
}
