//! Hosts.

use gateway_core::sanitize::Host;
use http::HeaderValue;

/// A host is refused, or has one form that `http` takes for an authority too.
pub fn host(data: &[u8]) {
    let Ok(field) = HeaderValue::from_bytes(data) else { return };
    let Ok(host) = Host::from_field(&field) else {
        assert!(Host::verbatim(&field).is_err(), "{field:?} is valid one way only");
        return;
    };
    let again = Host::from_field(host.value()).expect("the canonical form is valid");
    assert_eq!(again, host, "{field:?} has two forms");
    let text = host.value().to_str().expect("a host is ASCII");
    assert_eq!(text, text.to_ascii_lowercase());
    assert!(!host.name().is_empty() && !host.name().ends_with('.'), "{field:?} -> {text:?}");
    assert!(!text.contains(['/', '@', '?', '#', '\\', ',', ' ', '%']), "{field:?} -> {text:?}");
    let authority: http::uri::Authority = text.parse().expect("an authority");
    assert_eq!((authority.host(), authority.port_u16()), (host.name(), host.port()));
    assert_eq!(Host::from_authority(&authority).expect("valid both ways"), host);
}
