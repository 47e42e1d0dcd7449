//! The fields of one entity.

use std::{net::Ipv6Addr, sync::Arc};

use serde_json::{Map, Value};

use super::{
    plugin,
    record::{Around, Decoder},
    row::Row,
};
use crate::config::schema::{EntityKind, PluginSchemas, digest_of, is_reference};

/// Reads the fields of entities.
pub(super) struct Reader<'o> {
    pub(super) decoder: Decoder<'o>,
    plugins: &'o dyn PluginSchemas,
}

impl<'o> Reader<'o> {
    pub(super) fn new(decoder: Decoder<'o>, plugins: &'o dyn PluginSchemas) -> Self {
        Self { decoder, plugins }
    }

    /// The fields of `row`, defaults filled in; what is wrong is noted as part of that entity.
    pub(super) fn fields(&mut self, row: &Row<'_>) -> Map<String, Value> {
        if let Some(fields) = row.fields.take() {
            return fields;
        }
        let before = self.decoder.problems.len();
        let path = std::mem::replace(&mut self.decoder.path, row.path.clone());
        let given = row.parent.map(|(_, field)| field);
        let around = Around { besides: row.kind.nested(), given, prefix: "" };
        let mut fields = self.decoder.record(row.kind.record(), &row.node, around);
        match row.kind {
            EntityKind::Plugins => {
                plugin::read(&mut self.decoder, self.plugins, &row.node, &mut fields, given);
            }
            EntityKind::Targets => settle_target(&mut fields),
            EntityKind::CaCertificates => add_digest(&mut fields),
            _ => {}
        }
        self.decoder.path = path;
        let found = self.decoder.problems.get_mut(before..).filter(|problems| !problems.is_empty());
        if let Some(problems) = found {
            let subject = Arc::new(row.subject());
            problems.iter_mut().for_each(|problem| problem.subject = Some(Arc::clone(&subject)));
        }
        fields
    }
}

/// A target without a port gets 8000 (compat A6), and an IPv6 address has its shortest form, in brackets: however it is
/// written, it is one target.
fn settle_target(fields: &mut Map<String, Value>) {
    let Some(Value::String(target)) = fields.get_mut("target") else { return };
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, port),
        _ => (&**target, "8000"),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    *target = match bare.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{port}"),
        Err(_) => format!("{host}:{port}"),
    };
}

fn add_digest(fields: &mut Map<String, Value>) {
    let cert = fields.get("cert").and_then(Value::as_str).filter(|cert| !is_reference(cert));
    if let Some(digest) = cert.and_then(digest_of) {
        fields.insert("cert_digest".to_owned(), digest.into());
    }
}
