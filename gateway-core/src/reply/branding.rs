//! The names that the gateway gives itself on the wire.

use http::{HeaderName, HeaderValue, header::InvalidHeaderValue};

use crate::sanitize::Brand;

/// `Server`, `Via` and the names of the gateway's own header fields, ready to be set.
///
/// By default the fields keep Kong's names, because clients gate on them, and `Server` and `Via` name
/// this gateway. [`Branding::neutral`] takes `Kong` out of the fields and metrics too.
///
/// ```
/// use gateway_core::reply::Branding;
///
/// assert_eq!(Branding::default().request_id, "x-kong-request-id");
/// assert_eq!(Branding::neutral().request_id, "x-gateway-request-id");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Branding {
    /// `Server` of answers that name no server of their own: `gateway/0.1.0`.
    pub server: HeaderValue,
    brand: Brand,
    /// The request's id, both ways: `X-Kong-Request-Id`.
    pub request_id: HeaderName,
    /// Milliseconds the upstream took: `X-Kong-Upstream-Latency`.
    pub upstream_latency: HeaderName,
    /// Milliseconds the gateway took before it forwarded: `X-Kong-Proxy-Latency`.
    pub proxy_latency: HeaderName,
    /// Milliseconds the gateway took for an answer of its own: `X-Kong-Response-Latency`.
    pub response_latency: HeaderName,
    /// The upstream's status, where asked for: `X-Kong-Upstream-Status`.
    pub upstream_status: HeaderName,
    /// What the metrics named after Kong's begin with: `kong`.
    pub metrics: &'static str,
}

impl Default for Branding {
    fn default() -> Self {
        Self {
            server: HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION"))),
            brand: Brand::default(),
            request_id: HeaderName::from_static("x-kong-request-id"),
            upstream_latency: HeaderName::from_static("x-kong-upstream-latency"),
            proxy_latency: HeaderName::from_static("x-kong-proxy-latency"),
            response_latency: HeaderName::from_static("x-kong-response-latency"),
            upstream_status: HeaderName::from_static("x-kong-upstream-status"),
            metrics: "kong",
        }
    }
}

impl Branding {
    /// `gateway` wherever Kong's name stands by default: `X-Gateway-Request-Id`, `gateway_http_requests_total`.
    #[must_use]
    pub fn neutral() -> Self {
        let request_id = HeaderName::from_static("x-gateway-request-id");
        Self {
            brand: Brand::default().with_request_id(request_id.clone()),
            request_id,
            upstream_latency: HeaderName::from_static("x-gateway-upstream-latency"),
            proxy_latency: HeaderName::from_static("x-gateway-proxy-latency"),
            response_latency: HeaderName::from_static("x-gateway-response-latency"),
            upstream_status: HeaderName::from_static("x-gateway-upstream-status"),
            metrics: "gateway",
            ..Self::default()
        }
    }

    /// The same with another product in `Server` and `Via`, `acme/2`.
    ///
    /// # Errors
    /// Text that cannot stand in a header field.
    pub fn product(mut self, product: &str) -> Result<Self, InvalidHeaderValue> {
        self.server = HeaderValue::from_str(product)?;
        self.brand = Brand::new(product, self.request_id.clone())?;
        Ok(self)
    }

    /// What a message forwarded shows: the name in `Via` and the field of the request's id.
    #[must_use]
    pub const fn brand(&self) -> &Brand {
        &self.brand
    }
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::Branding;

    #[test]
    fn via_tells_the_protocol_received() {
        let branding = Branding::default().product("acme/2").unwrap();
        assert_eq!(branding.server, "acme/2");
        assert_eq!(branding.brand().via(Version::HTTP_10), "1 acme/2");
        assert_eq!(branding.brand().via(Version::HTTP_11), "1.1 acme/2");
        assert_eq!(branding.brand().via(Version::HTTP_2), "2 acme/2");
    }

    #[test]
    fn a_product_cannot_inject_a_field() {
        assert!(Branding::default().product("x\r\nevil: 1").is_err());
    }
}
