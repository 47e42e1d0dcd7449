//! A manifest as JSON, while the compiler runs: what the section holds must be known then.

use super::Manifest;
use crate::table::{Field, Kind, Rule, Table};

/// The bytes, as far as there is room, and how many there are.
pub(super) const fn written<const N: usize>(manifest: &Manifest) -> ([u8; N], usize) {
    let mut json = Json { bytes: [0; N], at: 0 };
    json.manifest(manifest);
    (json.bytes, json.at)
}

struct Json<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Json<N> {
    const fn manifest(&mut self, manifest: &Manifest) {
        self.raw("{\"name\":");
        self.text(manifest.name);
        self.raw(",\"version\":");
        self.text(manifest.version);
        self.raw(",\"priority\":");
        self.number(manifest.priority as i64);
        self.raw(",\"on_error\":");
        self.text(manifest.on_error);
        self.raw(",\"phases\":");
        self.texts(manifest.phases);
        self.raw(",\"reads_body\":");
        self.boolean(manifest.reads_body);
        self.raw(",\"protocols\":");
        self.texts(manifest.protocols);
        self.raw(",\"capabilities\":");
        self.texts(manifest.capabilities);
        self.raw(",\"refused\":[");
        let mut first = true;
        first = self.word(manifest.no_consumer, "consumer", first);
        first = self.word(manifest.no_route, "route", first);
        self.word(manifest.no_service, "service", first);
        self.raw("],\"config\":");
        self.table(&manifest.config);
        self.raw("}");
    }

    const fn word(&mut self, holds: bool, word: &str, first: bool) -> bool {
        if !holds {
            return first;
        }
        if !first {
            self.raw(",");
        }
        self.text(word);
        false
    }

    const fn table(&mut self, table: &Table) {
        self.raw("{");
        self.members(table);
        self.raw("}");
    }

    const fn members(&mut self, table: &Table) {
        self.raw("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
        let mut at = 0;
        while at < table.fields.len() {
            self.comma(at);
            self.text(table.fields[at].name);
            self.raw(":");
            self.field(&table.fields[at]);
            at += 1;
        }
        self.raw("},\"required\":[");
        let (mut at, mut first) = (0, true);
        while at < table.fields.len() {
            first = self.word(table.fields[at].required, table.fields[at].name, first);
            at += 1;
        }
        self.raw("]");
        if !table.shorthands.is_empty() {
            self.raw(",\"shorthands\":{");
            let mut at = 0;
            while at < table.shorthands.len() {
                self.comma(at);
                self.text(table.shorthands[at].0);
                self.raw(":");
                self.text(table.shorthands[at].1);
                at += 1;
            }
            self.raw("}");
        }
        if !table.rules.is_empty() {
            self.raw(",\"rules\":[");
            let mut at = 0;
            while at < table.rules.len() {
                self.comma(at);
                self.rule(&table.rules[at]);
                at += 1;
            }
            self.raw("]");
        }
    }

    const fn rule(&mut self, rule: &Rule) {
        let names = match rule {
            Rule::AtLeastOneOf(names) => {
                self.raw("{\"at_least_one_of\":");
                names
            }
            Rule::MutuallyExclusive(names) => {
                self.raw("{\"mutually_exclusive\":");
                names
            }
            Rule::MutuallyRequired(names) => {
                self.raw("{\"mutually_required\":");
                names
            }
            Rule::RequiredWhere(names) => {
                self.raw("{\"required_where\":");
                names.as_slice()
            }
        };
        self.texts(names);
        self.raw("}");
    }

    const fn field(&mut self, field: &Field) {
        self.raw("{\"description\":");
        self.text(field.doc);
        if let Some(default) = field.default {
            self.raw(",\"default\":");
            self.raw(default);
        }
        if let Some(instead) = field.deprecated {
            self.raw(",\"deprecated\":");
            self.text(instead);
        }
        if field.set {
            self.raw(",\"uniqueItems\":true");
        }
        self.lengths(field);
        self.raw(",");
        self.kind(&field.kind, field);
        self.raw("}");
    }

    const fn lengths(&mut self, field: &Field) {
        let list = matches!(field.kind, Kind::List(_));
        if let Some(length) = field.shortest {
            self.raw(if list { ",\"minItems\":" } else { ",\"minLength\":" });
            self.number(length as i64);
        }
        if let Some(length) = field.longest {
            self.raw(if list { ",\"maxItems\":" } else { ",\"maxLength\":" });
            self.number(length as i64);
        }
    }

    /// The words of a kind, without braces. What `field` says of numbers and words goes to the innermost kind.
    const fn kind(&mut self, kind: &Kind, field: &Field) {
        match kind {
            Kind::Boolean => self.raw("\"type\":\"boolean\""),
            Kind::Integer(least, most) => {
                self.raw("\"type\":\"integer\"");
                let (least, most) = match field.between {
                    Some(ends) => ends,
                    None => (*least, *most),
                };
                self.bounds(least, most, field.greater_than);
            }
            Kind::Number => {
                self.raw("\"type\":\"number\"");
                match field.between {
                    Some((least, most)) => self.bounds(least, most, field.greater_than),
                    None => self.bounds(i64::MIN, i64::MAX, field.greater_than),
                }
            }
            Kind::Text if !field.one_of.is_empty() => self.choice(field.one_of),
            Kind::Text => {
                self.raw("\"type\":\"string\"");
                if field.referenceable {
                    self.raw(",\"referenceable\":true");
                }
                if let Some(format) = field.format {
                    self.raw(",\"format\":");
                    self.text(format);
                }
            }
            Kind::OneOf(texts) => self.choice(texts),
            Kind::List(element) => {
                self.raw("\"type\":\"array\",\"items\":{");
                self.kind(element, field);
                self.raw("}");
            }
            Kind::Map(values) => {
                self.raw("\"type\":\"object\",\"additionalProperties\":{");
                self.kind(values, field);
                self.raw("}");
            }
            Kind::Record(table) => self.members(table),
            Kind::Any => {
                self.raw("\"type\":[\"object\",\"array\",\"string\",\"number\",\"boolean\",\"null\"]");
            }
        }
    }

    const fn choice(&mut self, texts: &[&str]) {
        self.raw("\"enum\":");
        self.texts(texts);
    }

    const fn bounds(&mut self, least: i64, most: i64, above: Option<i64>) {
        if least != i64::MIN {
            self.raw(",\"minimum\":");
            self.number(least);
        }
        if most != i64::MAX {
            self.raw(",\"maximum\":");
            self.number(most);
        }
        if let Some(bound) = above {
            self.raw(",\"exclusiveMinimum\":");
            self.number(bound);
        }
    }

    const fn texts(&mut self, texts: &[&str]) {
        self.raw("[");
        let mut at = 0;
        while at < texts.len() {
            self.comma(at);
            self.text(texts[at]);
            at += 1;
        }
        self.raw("]");
    }

    const fn comma(&mut self, at: usize) {
        if at > 0 {
            self.raw(",");
        }
    }

    const fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    const fn number(&mut self, value: i64) {
        if value < 0 {
            self.push(b'-');
        }
        let value = value.unsigned_abs();
        let mut unit = 1;
        while value / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.push(b'0' + (value / unit % 10) as u8);
            unit /= 10;
        }
    }

    /// A text between quotes (RFC 8259 section 7). Control characters become spaces: they have no business here.
    const fn text(&mut self, text: &str) {
        self.push(b'"');
        let (bytes, mut at) = (text.as_bytes(), 0);
        while at < bytes.len() {
            match bytes[at] {
                byte @ (b'"' | b'\\') => {
                    self.push(b'\\');
                    self.push(byte);
                }
                0..0x20 => self.push(b' '),
                byte => self.push(byte),
            }
            at += 1;
        }
        self.push(b'"');
    }

    const fn raw(&mut self, text: &str) {
        let (bytes, mut at) = (text.as_bytes(), 0);
        while at < bytes.len() {
            self.push(bytes[at]);
            at += 1;
        }
    }

    const fn push(&mut self, byte: u8) {
        if self.at < N {
            self.bytes[self.at] = byte;
        }
        self.at += 1;
    }
}
