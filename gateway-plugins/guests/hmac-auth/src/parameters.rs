//! What a request says of its signature.

/// What a request says of its signature: `hmac username="..", algorithm="..", headers="..", signature=".."`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) username: String,
    pub(crate) algorithm: String,
    /// What is signed, in this order.
    pub(crate) headers: Vec<String>,
    /// In base64.
    pub(crate) signature: String,
}

const NAMES: [&str; 4] = ["username", "algorithm", "headers", "signature"];

impl Parameters {
    /// The parameters of a field's value, in any order; none where one is missing, empty, there twice or unknown.
    pub(crate) fn of(value: &str) -> Option<Self> {
        let (scheme, mut rest) = value.trim_start().split_at_checked("hmac".len())?;
        if !scheme.eq_ignore_ascii_case("hmac") {
            return None;
        }
        let mut found = [None; 4];
        loop {
            let (name, value, after) = parameter(rest)?;
            let slot = found.get_mut(NAMES.iter().position(|known| *known == name)?)?;
            if value.is_empty() || slot.replace(value).is_some() {
                return None;
            }
            match after.trim().strip_prefix(',') {
                Some(next) => rest = next,
                None if after.trim().is_empty() => break,
                None => return None,
            }
        }
        let [username, algorithm, headers, signature] = found;
        Some(Self {
            username: username?.to_owned(),
            algorithm: algorithm?.to_owned(),
            headers: headers?.split(' ').map(str::to_owned).collect(),
            signature: signature?.to_owned(),
        })
    }
}

/// A name, its quoted value, and what follows.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let (value, after) = rest.strip_prefix('"')?.split_once('"')?;
    Some((name.trim(), value, after))
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    const GOOD: &str =
        r#"hmac username="bob", algorithm="hmac-sha256", headers="date request-line", signature="ab=""#;

    #[test]
    fn parameters_are_quoted_and_parted_by_commas() {
        let parameters = Parameters::of(GOOD).unwrap();
        assert_eq!((&*parameters.username, &*parameters.algorithm), ("bob", "hmac-sha256"));
        assert_eq!(parameters.headers, ["date", "request-line"]);
        assert_eq!(parameters.signature, "ab=");
        for same in [
            GOOD.replace(", ", ","),
            GOOD.replace("hmac username", "Hmac  username"),
            r#"HMAC signature="ab=",username="bob",headers="date request-line",algorithm="hmac-sha256""#
                .into(),
        ] {
            assert_eq!(Parameters::of(&same), Parameters::of(GOOD), "{same}");
        }
    }

    #[test]
    fn what_is_no_signature_is_none() {
        for bad in [
            "",
            "hmac",
            "hm",
            "Basic YTpi",
            &GOOD.replace("bob", ""),
            &GOOD.replace("username=", "user="),
            &GOOD.replace(", signature=\"ab=\"", ""),
            &GOOD.replace(", signature", " signature"),
            &GOOD.replace("\"bob\"", "bob"),
            &format!("{GOOD}, username=\"eve\""),
            &format!("{GOOD},"),
            &format!("{GOOD} x"),
            &GOOD.replace("ab=\"", "ab="),
        ] {
            assert_eq!(Parameters::of(bad), None, "{bad}");
        }
    }
}
