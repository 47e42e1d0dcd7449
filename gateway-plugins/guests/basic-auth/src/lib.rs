//! Admits requests that carry the user name and the password of a known consumer (compat P21).

use auth::{Challenge, Otherwise, unexpected};
use base64::{Engine, engine::general_purpose::STANDARD};
use plugin_sdk::{Only, consumer::Kind, crypto, prelude::*};

/// The configuration.
#[config]
pub struct Config {
    /// Whether the credential is taken out of what goes upstream.
    #[field(default = false)]
    hide_credentials: bool,
    /// The consumer, by id or username, that stands in where no credential is good. Without it such requests are
    /// refused.
    anonymous: Option<String>,
    /// The realm that refusals name.
    #[field(default = "service")]
    realm: String,
}

/// The plugin.
pub struct BasicAuth {
    hides: bool,
    challenge: Challenge,
    otherwise: Otherwise,
}

/// Where a credential may stand, in the order in which it counts.
const FIELDS: [&str; 2] = ["proxy-authorization", "authorization"];

#[plugin(name = "basic-auth", priority = 1100, no_consumer, capabilities = ["consumer", "crypto", "response"])]
impl BasicAuth {
    fn configure(config: Config) -> Result<Self, String> {
        let Config { hide_credentials: hides, anonymous, realm } = config;
        let (challenge, otherwise) = (Challenge::new("Basic", Some(&realm))?, Otherwise::new(anonymous));
        Ok(Self { hides, challenge, otherwise })
    }

    async fn on_request(&self, request: &mut Request) -> Flow {
        self.otherwise.settle_later(self.admit(request)).await
    }
}

impl BasicAuth {
    async fn admit(&self, request: &mut Request) -> Result<(), Reply> {
        let refused = || self.challenge.unauthorized("Unauthorized");
        let credential = self.credential(request).await.map_err(unexpected)?.ok_or_else(refused)?;
        let admitted = consumer::admit_credential(credential).map_err(unexpected)?;
        if admitted { Ok(()) } else { Err(refused()) }
    }

    /// The credential that is good. One password is verified, whoever calls: nobody can tell by the time whether a user is known.
    async fn credential(&self, request: &mut Request) -> Result<Option<consumer::Id>, Error> {
        let Some((username, password)) = self.candidate(request)? else { return Ok(None) };
        let verified = crypto::verify_password(&username, &password).await?;
        Ok(verified.good.then_some(verified.credential))
    }

    /// The first user who is known, else the last one, and the password that comes with the name.
    fn candidate(&self, request: &mut Request) -> Result<Option<(String, String)>, Error> {
        let mut candidate: Option<(String, String)> = None;
        for field in FIELDS {
            let found = request.only_header(field);
            if matches!(found, Only::None) {
                continue;
            }
            if let Some((username, _)) = &candidate
                && consumer::credential(Kind::Basic, username)?.is_some()
            {
                break;
            }
            if self.hides {
                request.remove_header(field);
            }
            // Of several of one name the upstream might go by another one (RFC 9110 section 5.3).
            let Only::One(value) = found else { return Ok(None) };
            candidate = user(&value).or(candidate);
        }
        Ok(candidate)
    }
}

/// User name and password (RFC 7617 section 2); white space before the credential is not needed, as in Kong.
fn user(value: &str) -> Option<(String, String)> {
    let (scheme, credential) = value.trim_start().split_at_checked("Basic".len())?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    (!username.is_empty()).then(|| (username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::user;

    #[test]
    fn a_credential_is_a_name_and_a_password_in_base64() {
        let known = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        for (value, expected) in [
            ("Basic YWxhZGRpbjpvcGVuc2VzYW1l", known("aladdin", "opensesame")),
            ("basic  YWxhZGRpbjpvcGVuc2VzYW1l", known("aladdin", "opensesame")),
            ("BASICYWxhZGRpbjpvcGVuc2VzYW1l", known("aladdin", "opensesame")),
            ("Basic YTpiOmM=", known("a", "b:c")),
            ("Basic YTo=", known("a", "")),
            ("Basic OnA=", None),
            ("Basic YQ==", None),
            ("Basic YTpi.", None),
            ("Basic /zo=", None),
            ("Basic", None),
            ("Bearer YTpi", None),
            ("Bäsic", None),
            ("", None),
        ] {
            assert_eq!(user(value), expected, "{value}");
        }
    }
}
