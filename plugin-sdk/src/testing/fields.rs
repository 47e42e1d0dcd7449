//! Header fields in their order.

use super::wire;

/// Header fields. Names compare without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

/// What frames a message or belongs to a connection is the gateway's to write (RFC 9110 section 7.6.1).
const FRAMING: [&str; 8] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
];

impl Fields {
    pub(super) fn of(pairs: wire::Fields) -> Self {
        let mut fields = Self::default();
        pairs.into_iter().for_each(|(name, value)| fields.add(&name, &value));
        fields
    }

    pub(super) fn pairs(&self) -> wire::Fields {
        self.0.clone()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, own)) => {
                value.clone_into(own);
                let mut first = true;
                self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(name) || std::mem::take(&mut first));
            }
            None => self.add(name, value),
        }
    }

    /// As the gateway writes fields on an answer: each `set-cookie` is of a cookie of its own.
    pub(super) fn write(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("set-cookie") { self.add(name, value) } else { self.set(name, value) }
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_ascii_lowercase(), value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.retain(|own| !own.eq_ignore_ascii_case(name));
    }

    /// Keeps the fields with these names.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }
}

/// Whether a plugin's write to this field does nothing.
pub(super) fn frames(name: &str) -> bool {
    FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn a_field_that_is_set_stands_once_where_the_first_of_its_name_stood() {
        let mut fields = Fields::default();
        for (name, value) in [("A", "1"), ("b", "2"), ("a", "3")] {
            fields.add(name, value);
        }
        fields.set("A", "4");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", "4"), ("b", "2")]);
        fields.remove("B");
        assert_eq!(fields.get("b"), None);
    }
}
