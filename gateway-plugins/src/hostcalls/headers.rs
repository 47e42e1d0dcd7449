//! Header fields and trailers.

use http::HeaderValue;
use wasmtime::Linker;

use super::kind;
use crate::{
    abi::{MapKind, Status, pairs},
    caller::{Called, Caller, give, view},
    fields::{self, Pseudo, Write},
    host::{ABSENT, Host},
    memory::{bytes, put_u32},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_get_header_map_size" => get_size, (map: u32, size_at: u32);
        "proxy_get_header_map_pairs" => get_pairs, (map: u32, pairs_at: u32, size_at: u32);
        "proxy_set_header_map_pairs" => set_pairs, (map: u32, data: u32, size: u32);
        "proxy_get_header_map_value" => get_value, (map: u32, key: u32, key_size: u32, value_at: u32, size_at: u32);
        "proxy_add_header_map_value" => add_value, (map: u32, key: u32, key_size: u32, value: u32, size: u32);
        "proxy_replace_header_map_value" => replace_value, (map: u32, key: u32, key_size: u32, value: u32, size: u32);
        "proxy_remove_header_map_value" => remove_value, (map: u32, key: u32, key_size: u32);
    });
    Ok(())
}

/// A value as the guest gets it: shared, not copied, where it is a field's.
enum Found {
    /// The first one, and whether there are others.
    Field(HeaderValue, bool),
    Made(bytes::Bytes),
}

impl Found {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Field(value, _) => value.as_bytes(),
            Self::Made(bytes) => bytes,
        }
    }
}

/// The first value, as in Envoy; the others come with the pairs, and a mailbox says that there are any. Where there is
/// none, 0.1.0 has an empty one.
fn get_value(
    caller: &mut Caller<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value_at: u32,
    size_at: u32,
) -> Called {
    let map = kind::<MapKind>(map)?;
    let (memory, host) = view(caller)?;
    match find(host, map, bytes(memory, key, key_size)?) {
        Some(found) => {
            if let (Some(mailbox), Found::Field(_, others)) = (host.mailbox, &found) {
                mailbox.count(memory, 1 + u32::from(*others));
            }
            give(caller, found.as_bytes(), value_at, size_at)
        }
        None if host.runtime.old_abi() => give(caller, &[], value_at, size_at),
        None => Err(ABSENT.into()),
    }
}

fn find(host: &mut Host, map: MapKind, key: &[u8]) -> Option<Found> {
    if key.first() == Some(&b':') {
        return fields::pseudo_value(host, map, Pseudo::of(key)?).map(Found::Made);
    }
    let name = host.names.get(key).ok()?;
    let mut values = fields::headers(host, map)?.get_all(name.field).iter();
    let first = values.next()?;
    Some(Found::Field(first.clone(), values.next().is_some()))
}

fn get_pairs(caller: &mut Caller<'_>, map: u32, pairs_at: u32, size_at: u32) -> Called {
    let map = kind::<MapKind>(map)?;
    let (_, host) = view(caller)?;
    let mut encoded = Vec::new();
    if let Some(headers) = fields::headers(host, map) {
        let pseudos = fields::pseudos(host, map);
        pairs::encode(all(&pseudos, headers), &mut encoded)?;
    }
    give(caller, &encoded, pairs_at, size_at)
}

fn get_size(caller: &mut Caller<'_>, map: u32, size_at: u32) -> Called {
    let map = kind::<MapKind>(map)?;
    let (memory, host) = view(caller)?;
    let size = fields::headers(host, map)
        .map_or(0, |headers| pairs::encoded_size(all(&fields::pseudos(host, map), headers)));
    Ok(put_u32(memory, size_at, u32::try_from(size).map_err(|_| Status::SerializationFailure)?)?)
}

fn all<'a>(
    pseudos: &'a fields::Pseudos,
    headers: &'a http::HeaderMap,
) -> impl Iterator<Item = pairs::Pair<'a>> {
    let pseudos = pseudos.iter().map(|(pseudo, value)| (pseudo.name().as_bytes(), &value[..]));
    pseudos.chain(headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
}

fn set_pairs(caller: &mut Caller<'_>, map: u32, data: u32, size: u32) -> Called {
    let map = kind::<MapKind>(map)?;
    let (memory, host) = view(caller)?;
    let pairs = pairs::decode(bytes(memory, data, size)?)?;
    Ok(fields::write_all(host, map, &pairs)?)
}

fn add_value(caller: &mut Caller<'_>, map: u32, key: u32, key_size: u32, value: u32, size: u32) -> Called {
    write(caller, map, (key, key_size), (value, size), Write::Add)
}

fn replace_value(
    caller: &mut Caller<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    size: u32,
) -> Called {
    write(caller, map, (key, key_size), (value, size), Write::Replace)
}

fn write(caller: &mut Caller<'_>, map: u32, key: (u32, u32), value: (u32, u32), how: Write) -> Called {
    let map = kind::<MapKind>(map)?;
    let (memory, host) = view(caller)?;
    let (key, value) = (bytes(memory, key.0, key.1)?, bytes(memory, value.0, value.1)?);
    Ok(fields::write(host, map, key, value, how)?)
}

fn remove_value(caller: &mut Caller<'_>, map: u32, key: u32, key_size: u32) -> Called {
    let map = kind::<MapKind>(map)?;
    let (memory, host) = view(caller)?;
    Ok(fields::remove(host, map, bytes(memory, key, key_size)?)?)
}
