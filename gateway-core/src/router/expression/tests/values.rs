//! What the fields of a request hold, for the plain model.

use std::net::SocketAddr;

use super::{
    super::field::{AddressField, NumberField, TextField},
    Given,
};
use crate::config::Protocol;

/// The generated paths know these escapes only.
pub(super) fn decoded(path: &str) -> String {
    path.replace("%20", " ").replace("%C3%9C", "Ü")
}

/// In lower case it is the same length.
pub(super) fn on_the_wire(path: &str) -> usize {
    path.replace(' ', "%20").replace(['Ü', 'ü'], "%C3%9C").len()
}

pub(super) fn texts(field: &TextField, given: &Given) -> Vec<String> {
    match field {
        TextField::Protocol => {
            vec![if given.scheme == Protocol::Https { "https" } else { "http" }.to_owned()]
        }
        TextField::Sni => given.sni.iter().cloned().collect(),
        TextField::Method => vec![given.method.to_string()],
        TextField::Host => vec![given.host.clone()],
        TextField::Path => vec![decoded(&given.path)],
        TextField::Segments(first, last) => {
            let all = segments(given);
            let range = all.get(*first as usize..=*last as usize).map(|segments| segments.join("/"));
            range.into_iter().collect()
        }
        TextField::Header(header) => {
            let name = header.name.as_str().replace('-', "_");
            let own = given.headers.iter().filter(|(own, _)| own.as_str().replace('-', "_") == name);
            own.map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
        }
        TextField::Query(name) => {
            let query = given.query.clone().unwrap_or_default();
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let plain = |text: &str| text.replace('+', " ").replace("%41", "A");
            let pair = |pair: &str| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (plain(name), plain(value))
            };
            pairs.map(pair).filter(|(own, _)| **own == **name).map(|(_, value)| value).collect()
        }
    }
}

fn segments(given: &Given) -> Vec<String> {
    let path = decoded(&given.path);
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

pub(super) fn number(field: NumberField, given: &Given) -> Option<i64> {
    match field {
        NumberField::SourcePort => given.source.map(|source| source.port().into()),
        NumberField::DestinationPort => Some(match given.destination {
            Some(destination) if given.port == given.scheme.default_port() => destination.port().into(),
            _ => given.port.into(),
        }),
        NumberField::SegmentCount => Some(segments(given).len() as i64),
    }
}

pub(super) fn address(field: AddressField, given: &Given) -> Option<SocketAddr> {
    match field {
        AddressField::Source => given.source,
        AddressField::Destination => given.destination,
    }
}
