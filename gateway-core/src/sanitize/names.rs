//! The field names this room knows beyond those of `http`, and what each one means to a proxy.

use http::HeaderName;

/// The client's address and those of the proxies on the way.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`, as the client sees it.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for, without port.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client came to.
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// The path as the client sent it.
pub const X_FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
/// The part of the path that was taken off.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// The client's address.
pub const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The id of the request.
pub const X_KONG_REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");

/// The consumer's id.
pub const X_CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
/// The consumer's `custom_id`.
pub const X_CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
/// The consumer's `username`.
pub const X_CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
/// The consumer's groups.
pub const X_CONSUMER_GROUPS: HeaderName = HeaderName::from_static("x-consumer-groups");
/// The groups that a plugin found the caller in.
pub const X_AUTHENTICATED_GROUPS: HeaderName = HeaderName::from_static("x-authenticated-groups");
/// The credential that the client showed.
pub const X_CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
/// `true` where the consumer is the anonymous one.
pub const X_ANONYMOUS_CONSUMER: HeaderName = HeaderName::from_static("x-anonymous-consumer");

/// What plugins tell the upstream about the caller. A client may not say it (compat D14), and
/// neither any other name that begins with `x-consumer-`, nor one of these with `_` for `-`.
pub const IDENTITY: [HeaderName; 7] = [
    X_CONSUMER_ID,
    X_CONSUMER_CUSTOM_ID,
    X_CONSUMER_USERNAME,
    X_CONSUMER_GROUPS,
    X_AUTHENTICATED_GROUPS,
    X_CREDENTIAL_IDENTIFIER,
    X_ANONYMOUS_CONSUMER,
];

/// Persistent-connection parameters of HTTP/1.0.
pub const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// `Connection`, as old clients spell it to a proxy.
pub const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// The settings of an h2c upgrade.
pub const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
/// What CGI turns into `HTTP_PROXY`.
pub const PROXY: HeaderName = HeaderName::from_static("proxy");

/// What a field means to a proxy: one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u32);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    pub(super) const HOST: Self = Self(1);
    pub(super) const CONTENT_LENGTH: Self = Self(1 << 1);
    pub(super) const TRANSFER_ENCODING: Self = Self(1 << 2);
    pub(super) const CONNECTION: Self = Self(1 << 3);
    pub(super) const UPGRADE: Self = Self(1 << 4);
    pub(super) const TE: Self = Self(1 << 5);
    pub(super) const TRAILER: Self = Self(1 << 6);
    pub(super) const EXPECT: Self = Self(1 << 7);
    pub(super) const COOKIE: Self = Self(1 << 8);
    /// Goes no further than the next hop, whatever its value.
    pub(super) const HOP: Self = Self(1 << 9);
    /// Says who the caller is.
    pub(super) const IDENTITY: Self = Self(1 << 10);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What `name` means; [`Marks::NONE`] for nearly every field there is.
    pub(super) fn of(name: &HeaderName) -> Self {
        match name.as_str() {
            "host" => Self::HOST,
            "content-length" => Self::CONTENT_LENGTH,
            "transfer-encoding" => Self::TRANSFER_ENCODING,
            "connection" => Self::CONNECTION,
            "upgrade" => Self::UPGRADE,
            "te" => Self::TE,
            "trailer" => Self::TRAILER,
            "expect" => Self::EXPECT,
            "cookie" => Self::COOKIE,
            "keep-alive" | "proxy-connection" | "http2-settings" | "proxy" => Self::HOP,
            other if says_who(other) => Self::IDENTITY,
            _ => Self::NONE,
        }
    }
}

/// Whether a field says who calls, also as CGI and its heirs read it, who take `_` and `-` for the same (CVE-2025-64484).
fn says_who(name: &str) -> bool {
    const WHOLE: [&str; 3] = ["x-credential-identifier", "x-anonymous-consumer", "x-authenticated-groups"];
    let begins = |known: &str| {
        let same = |(own, known): (u8, u8)| own == known || (own == b'_' && known == b'-');
        name.len() >= known.len() && name.bytes().zip(known.bytes()).all(same)
    };
    begins("x-consumer-") || WHOLE.iter().any(|known| name.len() == known.len() && begins(known))
}

/// Whether `strict_headers` drops the field (compat D13; docs/threat-model.md, H2 and H3).
pub(super) fn is_risky(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "proxy-authorization" | "x-original-url" | "x-rewrite-url")
        || name.contains('_')
}

/// Whether `Connection` cannot take the field off: those that frame the message, and those that
/// the gateway and its plugins set (compat D15; CVE-2021-32813, CVE-2024-45410).
pub(super) fn is_protected(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "host",
        "content-length",
        "transfer-encoding",
        "via",
        "x-real-ip",
        "x-credential-identifier",
        "x-anonymous-consumer",
        "x-authenticated-groups",
        "te",
    ];
    const PREFIXES: [&str; 3] = ["x-forwarded-", "x-consumer-", "x-kong-"];
    let begins =
        |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    NAMES.iter().any(|protected| name.eq_ignore_ascii_case(protected)) || PREFIXES.iter().any(begins)
}
