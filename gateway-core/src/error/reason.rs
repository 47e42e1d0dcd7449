//! The closed list of reasons, each with its word, its status and its text.
//!
//! The table in this file is the only place where a cause becomes a status (`docs/reasons.md` prints it).

use std::fmt;

use http::StatusCode;

/// Why the gateway answered in place of the upstream, or cut an answer short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// No route matches.
    NoRoute,
    /// The matched route has no service, and no plugin answered.
    NoService,
    /// The route wants HTTPS and the request came in clear.
    HttpsRequired,
    /// The route is for gRPC and the request is no gRPC call.
    GrpcRequired,
    /// A gRPC call came over another version than HTTP/2.
    Http2Required,
    /// The route wants gRPC over TLS and the call came in clear.
    GrpcsRequired,
    /// A plugin answered.
    Plugin,
    /// The request is malformed or ambiguous (RFC 9110, RFC 9112).
    BadRequest,
    /// The `Host` field or `:authority` is missing, doubled, invalid or contradicts the target.
    BadHost,
    /// The path cannot be made canonical.
    BadPath,
    /// The client's message body broke its framing.
    BadRequestBody,
    /// CONNECT, TRACE, or a method that no HTTP client sends.
    MethodNotAllowed,
    /// A transfer coding other than one `chunked`.
    CodingNotImplemented,
    /// An expectation other than `100-continue`.
    ExpectationFailed,
    /// A WebSocket handshake of another version than 13 (RFC 6455 section 4.4).
    WebsocketVersion,
    /// The request target is longer than the limit.
    UriTooLong,
    /// The request head is larger than the limit.
    HeadTooLarge,
    /// The request body is larger than the limit.
    BodyTooLarge,
    /// The client was too slow.
    ClientTimeout,
    /// The client went away before the answer was complete.
    ClientClosed,
    /// The upstream has no targets, or none in the subset that the service uses.
    NoTargets,
    /// Every target is unhealthy.
    AllUnhealthy,
    /// Every target is out because of what requests met, and comes back by itself.
    Ejected,
    /// The available weight is not above the upstream's `threshold`.
    BelowThreshold,
    /// Every target has weight 0.
    WeightZero,
    /// The circuit breaker is open.
    BreakerOpen,
    /// Too many requests wait for their turn already.
    PendingLimit,
    /// The request waited too long for its turn.
    PendingTimeout,
    /// The host name does not resolve.
    DnsError,
    /// The upstream refused the connection.
    ConnectRefused,
    /// The connection was not made within `connect_timeout`.
    ConnectTimeout,
    /// The connection could not be made for another cause.
    ConnectFailed,
    /// The upstream's certificate was refused.
    TlsVerify,
    /// The TLS handshake with the upstream failed.
    TlsHandshake,
    /// The upstream closed or reset the connection before its answer.
    Reset,
    /// The upstream did not take the request within `write_timeout`.
    WriteTimeout,
    /// The upstream did not answer within `read_timeout`.
    ReadTimeout,
    /// There was no answer in the time that all tries have together.
    Deadline,
    /// The upstream's answer is not valid HTTP, or one that a proxy must not pass on.
    BadResponse,
    /// The upstream broke off in the middle of its body.
    ResponseTruncated,
    /// The gateway is at a limit of its own.
    Overloaded,
    /// A defect in the gateway or a plugin.
    Internal,
}

/// How a failure is answered: the row of one [`Reason`].
struct Row {
    word: &'static str,
    status: StatusCode,
    message: &'static str,
}

const fn row(word: &'static str, status: StatusCode, message: &'static str) -> Row {
    Row { word, status, message }
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 42] = [
        Self::NoRoute,
        Self::NoService,
        Self::HttpsRequired,
        Self::GrpcRequired,
        Self::Http2Required,
        Self::GrpcsRequired,
        Self::Plugin,
        Self::BadRequest,
        Self::BadHost,
        Self::BadPath,
        Self::BadRequestBody,
        Self::MethodNotAllowed,
        Self::CodingNotImplemented,
        Self::ExpectationFailed,
        Self::WebsocketVersion,
        Self::UriTooLong,
        Self::HeadTooLarge,
        Self::BodyTooLarge,
        Self::ClientTimeout,
        Self::ClientClosed,
        Self::NoTargets,
        Self::AllUnhealthy,
        Self::Ejected,
        Self::BelowThreshold,
        Self::WeightZero,
        Self::BreakerOpen,
        Self::PendingLimit,
        Self::PendingTimeout,
        Self::DnsError,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::ConnectFailed,
        Self::TlsVerify,
        Self::TlsHandshake,
        Self::Reset,
        Self::WriteTimeout,
        Self::ReadTimeout,
        Self::Deadline,
        Self::BadResponse,
        Self::ResponseTruncated,
        Self::Overloaded,
        Self::Internal,
    ];

    /// The table from cause to answer; the texts are Kong's (`docs/compat.md`, error bodies).
    const fn row(self) -> Row {
        const NO_PEER: &str = "failure to get a peer from the ring-balancer";
        const INVALID: &str = "An invalid response was received from the upstream server";
        const TIMING_OUT: &str = "The upstream server is timing out";
        const BAD: &str = "Bad request";
        const UNAVAILABLE: &str = "The upstream server is currently unavailable";
        match self {
            Self::NoRoute => row("no_route", StatusCode::NOT_FOUND, "no Route matched with those values"),
            Self::NoService => {
                row("no_service", StatusCode::SERVICE_UNAVAILABLE, "no Service found with those values")
            }
            Self::HttpsRequired => {
                row("https_required", StatusCode::UPGRADE_REQUIRED, "Please use HTTPS protocol")
            }
            Self::GrpcRequired => row(
                "grpc_required",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Non-gRPC request matched gRPC route",
            ),
            Self::Http2Required => {
                row("http2_required", StatusCode::UPGRADE_REQUIRED, "Please use HTTP2 protocol")
            }
            Self::GrpcsRequired => row("grpcs_required", StatusCode::OK, "gRPC request matched gRPCs route"),
            Self::Plugin => row("plugin", StatusCode::FORBIDDEN, "Forbidden"),
            Self::BadRequest => row("bad_request", StatusCode::BAD_REQUEST, BAD),
            Self::BadHost => row("bad_host", StatusCode::BAD_REQUEST, BAD),
            Self::BadPath => row("bad_path", StatusCode::BAD_REQUEST, BAD),
            Self::BadRequestBody => row("bad_request_body", StatusCode::BAD_REQUEST, BAD),
            Self::MethodNotAllowed => {
                row("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
            }
            Self::CodingNotImplemented => {
                row("coding_not_implemented", StatusCode::NOT_IMPLEMENTED, "Transfer coding not implemented")
            }
            Self::ExpectationFailed => {
                row("expectation_failed", StatusCode::EXPECTATION_FAILED, "Expectation failed")
            }
            Self::WebsocketVersion => {
                row("websocket_version", StatusCode::UPGRADE_REQUIRED, "Unsupported WebSocket version")
            }
            Self::UriTooLong => row("uri_too_long", StatusCode::URI_TOO_LONG, "URI too long"),
            Self::HeadTooLarge => row(
                "head_too_large",
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request header or cookie too large",
            ),
            Self::BodyTooLarge => row("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, "Payload too large"),
            Self::ClientTimeout => row("client_timeout", StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::ClientClosed => row("client_closed", StatusCode::BAD_REQUEST, BAD),
            Self::NoTargets => row("no_targets", StatusCode::SERVICE_UNAVAILABLE, NO_PEER),
            Self::AllUnhealthy => row("all_unhealthy", StatusCode::SERVICE_UNAVAILABLE, NO_PEER),
            Self::Ejected => row("ejected", StatusCode::SERVICE_UNAVAILABLE, NO_PEER),
            Self::BelowThreshold => row("below_threshold", StatusCode::SERVICE_UNAVAILABLE, NO_PEER),
            Self::WeightZero => row("weight_zero", StatusCode::SERVICE_UNAVAILABLE, NO_PEER),
            Self::BreakerOpen => row("breaker_open", StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::PendingLimit => row("pending_limit", StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::PendingTimeout => row("pending_timeout", StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::DnsError => row("dns_error", StatusCode::SERVICE_UNAVAILABLE, "name resolution failed"),
            Self::ConnectRefused => row("connect_refused", StatusCode::BAD_GATEWAY, INVALID),
            Self::ConnectTimeout => row("connect_timeout", StatusCode::GATEWAY_TIMEOUT, TIMING_OUT),
            Self::ConnectFailed => row("connect_failed", StatusCode::BAD_GATEWAY, INVALID),
            Self::TlsVerify => row("tls_verify", StatusCode::BAD_GATEWAY, INVALID),
            Self::TlsHandshake => row("tls_handshake", StatusCode::BAD_GATEWAY, INVALID),
            Self::Reset => row("reset", StatusCode::BAD_GATEWAY, INVALID),
            Self::WriteTimeout => row("write_timeout", StatusCode::GATEWAY_TIMEOUT, TIMING_OUT),
            Self::ReadTimeout => row("read_timeout", StatusCode::GATEWAY_TIMEOUT, TIMING_OUT),
            Self::Deadline => row("deadline", StatusCode::GATEWAY_TIMEOUT, TIMING_OUT),
            Self::BadResponse => row("bad_response", StatusCode::BAD_GATEWAY, INVALID),
            Self::ResponseTruncated => row("response_truncated", StatusCode::BAD_GATEWAY, INVALID),
            Self::Overloaded => row("overloaded", StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
            Self::Internal => {
                row("internal", StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
            }
        }
    }

    /// The short word of logs, metrics and headers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.row().word
    }

    /// The status that answers it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The text of the error body.
    #[must_use]
    pub const fn message(self) -> &'static str {
        self.row().message
    }

    /// Whether the upstream is to blame: only such failures count in its health.
    #[must_use]
    pub const fn blames_upstream(self) -> bool {
        matches!(
            self,
            Self::ConnectRefused
                | Self::ConnectTimeout
                | Self::ConnectFailed
                | Self::TlsVerify
                | Self::TlsHandshake
                | Self::Reset
                | Self::WriteTimeout
                | Self::ReadTimeout
                | Self::Deadline
                | Self::BadResponse
                | Self::ResponseTruncated
        )
    }

    /// Whether Kong answers it from nginx rather than from its own code: without an `Accept`
    /// such a body is plain text, where Kong's own are JSON (compat B 3.1).
    #[must_use]
    pub const fn nginx_born(self) -> bool {
        self.blames_upstream()
            || matches!(
                self,
                Self::BadRequest
                    | Self::BadHost
                    | Self::BadPath
                    | Self::BadRequestBody
                    | Self::MethodNotAllowed
                    | Self::CodingNotImplemented
                    | Self::ExpectationFailed
                    | Self::WebsocketVersion
                    | Self::UriTooLong
                    | Self::HeadTooLarge
                    | Self::BodyTooLarge
                    | Self::ClientTimeout
                    | Self::Internal
            )
    }

    /// Whether the connection it came on is closed after the answer, because the
    /// message framing is in doubt.
    #[must_use]
    pub const fn closes_connection(self) -> bool {
        matches!(
            self,
            Self::BadRequest
                | Self::BadHost
                | Self::BadPath
                | Self::BadRequestBody
                | Self::CodingNotImplemented
                | Self::UriTooLong
                | Self::HeadTooLarge
                | Self::ClientTimeout
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_has_its_own_word() {
        let words: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
