//! By which protocol the requests of a route must come.

use http::{HeaderMap, Version, header::CONTENT_TYPE};

use crate::{config::Protocol, error::Reason};

/// What the `protocols` of a route ask for. They pick no request (compat R16): one that comes by another protocol is
/// told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP, in clear too.
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC, in clear too.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

impl Speaks {
    pub(crate) fn of(protocols: &[Protocol]) -> Self {
        let has = |protocol| protocols.contains(&protocol);
        match (has(Protocol::Http), has(Protocol::Grpc)) {
            (true, _) => Self::Http,
            (_, true) => Self::Grpc,
            _ if has(Protocol::Grpcs) => Self::Grpcs,
            _ => Self::Https,
        }
    }

    /// Why the route does not take a request that came so.
    pub(crate) fn refuses(self, scheme: Protocol, version: Version, headers: &HeaderMap) -> Option<Reason> {
        match self {
            Self::Http => None,
            Self::Https => (!scheme.is_tls()).then_some(Reason::HttpsRequired),
            Self::Grpc | Self::Grpcs if !calls_grpc(headers) => Some(Reason::GrpcRequired),
            Self::Grpc | Self::Grpcs if version < Version::HTTP_2 => Some(Reason::Http2Required),
            Self::Grpc => None,
            Self::Grpcs => (!scheme.is_tls()).then_some(Reason::GrpcsRequired),
        }
    }
}

/// gRPC-Web counts too: it is for a plugin to translate it (compat R17).
fn calls_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_by_another_protocol_is_told_so_p15_r17() {
        use Protocol::{Grpc, Grpcs, Http, Https};
        let refuses = |protocols: &[Protocol], scheme, version, content_type: &'static str| {
            let value = HeaderValue::from_static(content_type);
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            Speaks::of(protocols).refuses(scheme, version, &headers)
        };
        let (h1, h2, grpc) = (Version::HTTP_11, Version::HTTP_2, "application/grpc+proto");
        for (protocols, scheme, version, content_type, reason) in [
            (&[Http, Https][..], Http, h1, "", None),
            (&[Http], Https, h2, grpc, None),
            (&[Https], Http, h1, "", Some(Reason::HttpsRequired)),
            (&[Https], Https, h1, "", None),
            (&[Grpc, Grpcs], Http, h2, grpc, None),
            (&[Grpc], Https, h2, grpc, None),
            (&[Grpcs], Https, h2, "application/grpc", None),
            (&[Grpc], Http, h2, "application/grpc-web", None),
            (&[Grpc], Http, h1, "application/json", Some(Reason::GrpcRequired)),
            (&[Grpcs], Http, h2, "text/application/grpc", Some(Reason::GrpcRequired)),
            (&[Grpc, Grpcs], Http, h1, grpc, Some(Reason::Http2Required)),
            (&[Grpcs], Http, h2, grpc, Some(Reason::GrpcsRequired)),
        ] {
            let found = refuses(protocols, scheme, version, content_type);
            assert_eq!(found, reason, "{protocols:?} {scheme:?} {version:?} {content_type}");
        }
        let none = Speaks::of(&[Grpc]).refuses(Http, h2, &HeaderMap::new());
        assert_eq!(none, Some(Reason::GrpcRequired));
    }
}
