//! What is wrong with a certificate, for who has to mend it.

use rustls::{CertificateError, Error};

/// What is wrong with a certificate that TLS does not take.
pub(crate) fn flaw(error: &CertificateError) -> String {
    match error {
        // The verifier's own name for it; it has no words for people.
        CertificateError::Other(other) if other.0.to_string() == "UnsupportedCertVersion" => {
            "it is X.509 version 1, and TLS takes version 3 alone (`openssl x509 -req` makes that with `-extfile`)"
                .to_owned()
        }
        CertificateError::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => {
            "it is that of an authority, and shown as a server's own (`openssl req -x509` makes one for a server with \
             `-addext basicConstraints=critical,CA:FALSE`)"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Why a TLS handshake failed, for people.
///
/// ```
/// use gateway_core::upstream::handshake_failure;
/// use rustls::{CertificateError, Error};
///
/// let error = Error::InvalidCertificate(CertificateError::UnknownIssuer);
/// assert_eq!(handshake_failure(&error), "invalid peer certificate: UnknownIssuer");
/// ```
#[must_use]
pub fn handshake_failure(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => format!("invalid peer certificate: {}", flaw(error)),
        other => other.to_string(),
    }
}
