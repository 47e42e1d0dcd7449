//! Maps of header fields as a guest sees them: pseudo-headers first, then the fields.

use bytes::Bytes;
use gateway_core::{Body, plugin::Exchange};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONTENT_LENGTH, HOST},
    uri::PathAndQuery,
};
use smallvec::SmallVec;

use crate::{
    abi::{
        Answer, MapKind, Side, Status,
        pairs::{MOST_BYTES, MOST_PAIRS},
    },
    event::Received,
    host::Host,
    message::with_exchange,
    names::{FRAMING, Name, frames},
};

/// A pseudo-header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Authority,
    Method,
    Path,
    Scheme,
    Status,
}

impl Pseudo {
    const REQUEST: [Self; 4] = [Self::Authority, Self::Path, Self::Method, Self::Scheme];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Authority => ":authority",
            Self::Method => ":method",
            Self::Path => ":path",
            Self::Scheme => ":scheme",
            Self::Status => ":status",
        }
    }

    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let all = [Self::Authority, Self::Method, Self::Path, Self::Scheme, Self::Status];
        all.into_iter().find(|pseudo| pseudo.name().as_bytes() == name)
    }
}

/// The pseudo-headers of a message, with their values.
pub(crate) type Pseudos = SmallVec<[(Pseudo, Bytes); 4]>;

/// The fields of a map, where the message has such a part now.
pub(crate) fn headers(host: &Host, map: MapKind) -> Option<&HeaderMap> {
    let message = &host.message;
    let mine = host.has_message();
    let stream = || host.streams.get(host.effective);
    match map {
        MapKind::RequestHeaders => match message.request.get().filter(|_| mine) {
            Some(request) => Some(request.headers()),
            None => stream()?.request.as_ref().map(|head| &head.headers),
        },
        MapKind::ResponseHeaders => match message.response.get().filter(|_| mine) {
            Some(response) => Some(response.headers()),
            None => stream()?.response.as_ref().map(|head| &head.headers),
        },
        MapKind::RequestTrailers | MapKind::ResponseTrailers => {
            let wanted = if map == MapKind::RequestTrailers { Side::Request } else { Side::Response };
            message.trailers.as_ref().filter(|(side, _)| mine && *side == wanted).map(|(_, fields)| fields)
        }
        MapKind::CallResponseHeaders => message.answered.as_ref().map(|answered| &answered.headers),
        MapKind::CallResponseTrailers => message.answered.as_ref().map(|answered| &answered.trailers),
        MapKind::GrpcInitialMetadata => match &message.received {
            Some(Received::Initial(fields)) => Some(fields),
            _ => None,
        },
        MapKind::GrpcTrailingMetadata => match &message.received {
            Some(Received::Trailing(fields)) => Some(fields),
            _ => None,
        },
    }
}

/// The pseudo-headers of a map that is there.
pub(crate) fn pseudos(host: &Host, map: MapKind) -> Pseudos {
    let all: &[Pseudo] = match map {
        MapKind::RequestHeaders => &Pseudo::REQUEST,
        MapKind::ResponseHeaders | MapKind::CallResponseHeaders => &[Pseudo::Status],
        _ => &[],
    };
    all.iter().filter_map(|pseudo| Some((*pseudo, pseudo_value(host, map, *pseudo)?))).collect()
}

/// The value of a pseudo-header.
pub(crate) fn pseudo_value(host: &Host, map: MapKind, pseudo: Pseudo) -> Option<Bytes> {
    match (map, pseudo) {
        (MapKind::ResponseHeaders | MapKind::CallResponseHeaders, Pseudo::Status) => {
            Some(Bytes::copy_from_slice(status(host, map)?.as_str().as_bytes()))
        }
        (MapKind::RequestHeaders, Pseudo::Path) => path(host),
        (MapKind::RequestHeaders, Pseudo::Method) => {
            Some(Bytes::copy_from_slice(method(host)?.as_str().as_bytes()))
        }
        (MapKind::RequestHeaders, Pseudo::Authority) => {
            let host = headers(host, map)?.get(HOST)?;
            Some(Bytes::copy_from_slice(host.as_bytes()))
        }
        (MapKind::RequestHeaders, Pseudo::Scheme) => {
            headers(host, map)?;
            with_exchange(|exchange| Bytes::from_static(crate::properties::scheme(exchange).as_bytes()))
        }
        _ => None,
    }
}

fn status(host: &Host, map: MapKind) -> Option<StatusCode> {
    if map == MapKind::CallResponseHeaders {
        return host.message.answered.as_ref().map(|answered| answered.status);
    }
    match host.message.response.get().filter(|_| host.has_message()) {
        Some(response) => Some(response.status()),
        None => host.streams.get(host.effective)?.response.as_ref().map(|head| head.status),
    }
}

fn method(host: &Host) -> Option<&Method> {
    match host.message.request.get().filter(|_| host.has_message()) {
        Some(request) => Some(request.method()),
        None => host.streams.get(host.effective)?.request.as_ref().map(|head| &head.method),
    }
}

/// A guest of the request wrote its path.
#[derive(Clone)]
struct Rewritten;

/// The path that guests wrote, if one did.
pub(crate) fn written_path(request: &Request<Body>) -> Option<Bytes> {
    request.extensions().get::<Rewritten>()?;
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    Some(Bytes::copy_from_slice(path.as_bytes()))
}

/// What the client asked for, until a guest wrote something else: what was written last.
fn path(host: &Host) -> Option<Bytes> {
    let stream = host.streams.get(host.effective)?;
    let of_client =
        || with_exchange(|exchange: &Exchange| Bytes::copy_from_slice(exchange.path_and_query().as_bytes()));
    match host.message.request.get().filter(|_| host.has_message()) {
        Some(request) => written_path(request).or_else(of_client),
        None => stream.request.as_ref()?.path.clone().or_else(of_client),
    }
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Add,
    Replace,
}

/// Writes one field. What frames a message is the host's: such fields are left as they are.
pub(crate) fn write(host: &mut Host, map: MapKind, key: &[u8], value: &[u8], how: Write) -> Answer {
    if let Some(pseudo) = Pseudo::of(key) {
        return write_pseudo(host, map, pseudo, value);
    }
    let Name { field, frames } = host.names.get(key)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Status::BadArgument)?;
    let fields = writable(host, map)?;
    if frames {
        tracing::debug!(%field, "a plugin may not write this field");
        return Ok(());
    }
    if !has_room(fields, key.len() + value.len()) {
        return Err(Status::InternalFailure);
    }
    match how {
        Write::Replace => fields.try_insert(field, value).map(drop),
        Write::Add => fields.try_append(field, value).map(drop),
    }
    .map_err(|_| Status::InternalFailure)
}

/// Whether a field of so many bytes has room beside those that are there: field by field a guest gets no further than with
/// a whole map. Few short ones are not summed up.
fn has_room(fields: &HeaderMap, bytes: usize) -> bool {
    let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let few = fields.len() < 64 && bytes < 1 << 10;
    few || fields.len() < MOST_PAIRS && bytes + fields.iter().map(length).sum::<usize>() <= MOST_BYTES
}

/// Takes every field of this name out.
pub(crate) fn remove(host: &mut Host, map: MapKind, key: &[u8]) -> Answer {
    if Pseudo::of(key).is_some() {
        return writable(host, map).map(drop);
    }
    let name = host.names.get(key);
    let fields = writable(host, map)?;
    let Name { field, frames } = name?;
    // Without its length a body is framed anew.
    if !frames || field == CONTENT_LENGTH {
        fields.remove(field);
    }
    Ok(())
}

/// The fields among pairs, but for those that frame the message.
pub(crate) fn plain(pairs: &[(&[u8], &[u8])]) -> Result<HeaderMap, Status> {
    let mut fields = HeaderMap::with_capacity(pairs.len());
    for (key, value) in pairs.iter().filter(|(key, _)| Pseudo::of(key).is_none()) {
        let name = HeaderName::from_bytes(key).map_err(|_| Status::BadArgument)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Status::BadArgument)?;
        if !frames(&name) {
            fields.try_append(name, value).map_err(|_| Status::BadArgument)?;
        }
    }
    Ok(fields)
}

/// Writes a whole map: nothing of it where anything is wrong.
pub(crate) fn write_all(host: &mut Host, map: MapKind, pairs: &[(&[u8], &[u8])]) -> Answer {
    let mut fields = plain(pairs)?;
    let live = writable(host, map)?;
    for name in FRAMING {
        if let Some(value) = live.remove(&name) {
            fields.insert(name, value);
        }
    }
    if map == MapKind::RequestHeaders && !fields.contains_key(HOST) {
        // Guests name it `:authority`.
        live.remove(HOST).map(|host| fields.insert(HOST, host));
    }
    *live = fields;
    let pseudos = pairs.iter().filter_map(|(key, value)| Some((Pseudo::of(key)?, *value)));
    for (pseudo, value) in pseudos {
        write_pseudo(host, map, pseudo, value)?;
    }
    Ok(())
}

/// The fields of a map that may be changed now.
fn writable(host: &mut Host, map: MapKind) -> Result<&mut HeaderMap, Status> {
    if !host.has_message() {
        return Err(Status::BadArgument);
    }
    let message = &mut host.message;
    let fields = match map {
        MapKind::RequestHeaders => {
            let request = message.request.get_mut();
            if let (Some(_), Some(stream)) = (&request, host.streams.get_mut(host.effective)) {
                stream.changed = true;
            }
            request.map(Request::headers_mut)
        }
        MapKind::ResponseHeaders => message.response.get_mut().map(Response::headers_mut),
        MapKind::RequestTrailers | MapKind::ResponseTrailers => {
            let wanted = if map == MapKind::RequestTrailers { Side::Request } else { Side::Response };
            message.trailers.as_mut().filter(|(side, _)| *side == wanted).map(|(_, fields)| fields)
        }
        _ => None,
    };
    fields.ok_or(Status::BadArgument)
}

fn write_pseudo(host: &mut Host, map: MapKind, pseudo: Pseudo, value: &[u8]) -> Answer {
    writable(host, map)?;
    let bad = Status::BadArgument;
    match (map, pseudo) {
        (MapKind::ResponseHeaders, Pseudo::Status) => {
            let status = final_status(value).ok_or(bad)?;
            *host.message.response.get_mut().ok_or(bad)?.status_mut() = status;
        }
        (MapKind::RequestHeaders, Pseudo::Method) => {
            let method =
                Method::from_bytes(value).ok().filter(|method| *method != Method::CONNECT).ok_or(bad)?;
            *request(host)?.method_mut() = method;
        }
        (MapKind::RequestHeaders, Pseudo::Authority) => {
            let authority = http::uri::Authority::try_from(value).map_err(|_| bad)?;
            let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| bad)?;
            request(host)?.headers_mut().insert(HOST, authority);
        }
        (MapKind::RequestHeaders, Pseudo::Path) => write_path(host, value)?,
        // How the upstream is spoken to is its service's business.
        (MapKind::RequestHeaders, Pseudo::Scheme) => {}
        _ => return Err(bad),
    }
    Ok(())
}

fn write_path(host: &mut Host, value: &[u8]) -> Answer {
    let target = PathAndQuery::try_from(value).map_err(|_| Status::BadArgument)?;
    if !target.as_str().starts_with('/') {
        return Err(Status::BadArgument);
    }
    let request = request(host)?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(target);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Status::BadArgument)?;
    request.extensions_mut().insert(Rewritten);
    Ok(())
}

fn request(host: &mut Host) -> Result<&mut Request<Body>, Status> {
    host.message.request.get_mut().ok_or(Status::BadArgument)
}

/// A status that can end an exchange.
pub(crate) fn final_status(digits: &[u8]) -> Option<StatusCode> {
    StatusCode::from_bytes(digits).ok().filter(|status| (200..600).contains(&status.as_u16()))
}
