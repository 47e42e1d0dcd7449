//! `traditional_compatible`: the list of compat P43, word by word.

use uuid::Uuid;

use super::Part;

impl Part<'_> {
    pub(super) fn compatible(&self) -> Vec<u128> {
        let four = self.fields() >= 4;
        vec![
            four.into(),
            (!four && self.plain_hosts()).into(),
            (!four && self.is_regex()).into(),
            self.fields(),
            self.headers(),
            self.regex_priority(),
            self.length(),
            self.group_id().as_u128(),
        ]
    }

    /// Where a route has several paths, those of one kind and length are a group with an id of its own (compat P44).
    fn group_id(&self) -> Uuid {
        if self.route.paths.as_ref().is_none_or(|paths| paths.len() < 2) {
            return self.route.id;
        }
        let group = match (self.is_template(), self.is_regex()) {
            (true, _) => format!("template{}", self.length()),
            (_, true) => "true".to_owned(),
            _ => self.length().to_string(),
        };
        let space = Uuid::parse_str("7f145bf9-0dce-4f91-98eb-debbce4b9f6b").unwrap();
        Uuid::new_v5(&space, format!("{}#{group}", self.route.id).as_bytes())
    }
}
