//! The configuration, in the words of Kong's plugin where they mean the same.

use plugin_sdk::{kv, prelude::*};

/// The configuration.
#[config(
    mutually_required = ["upstream_headers_claims", "upstream_headers_names"],
    shorthand = ("session_redis_host", "redis.host"),
    shorthand = ("session_redis_port", "redis.port"),
    shorthand = ("session_redis_prefix", "redis.prefix"),
    shorthand = ("session_redis_username", "redis.username"),
    shorthand = ("session_redis_password", "redis.password"),
    shorthand = ("session_redis_connect_timeout", "redis.connect_timeout"),
    shorthand = ("session_redis_send_timeout", "redis.send_timeout"),
    shorthand = ("session_redis_read_timeout", "redis.read_timeout"),
    shorthand = ("session_redis_ssl", "redis.ssl"),
    shorthand = ("session_redis_ssl_verify", "redis.ssl_verify"),
    shorthand = ("session_redis_server_name", "redis.server_name"),
)]
pub struct Config {
    /// The provider: its issuer identifier, or the address of its discovery document.
    #[field(format = "url")]
    pub(crate) issuer: String,
    /// The name that the provider knows this gateway by.
    #[field(longest = 1, referenceable)]
    pub(crate) client_id: Option<Vec<String>>,
    /// The secret that goes with it.
    #[field(longest = 1, referenceable)]
    pub(crate) client_secret: Option<Vec<String>>,
    /// How it is shown to the provider. Default: `client_secret_basic`, or `none` without a secret.
    #[field(longest = 1, one_of = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])]
    pub(crate) client_auth: Option<Vec<String>>,
    /// The private key for `private_key_jwt` (PKCS #8, PEM), or the reference of a secret that `host.secrets` grants.
    #[field(referenceable)]
    pub(crate) client_private_key: Option<String>,
    /// The `kid` of that key.
    pub(crate) client_key_id: Option<String>,
    /// The algorithm of that key.
    #[field(default = "RS256", one_of = ["RS256", "PS256", "ES256", "EdDSA"])]
    pub(crate) client_alg: String,
    /// What shows who calls.
    #[field(default = ["authorization_code", "bearer", "introspection", "session"], set)]
    #[field(one_of = ["authorization_code", "bearer", "introspection", "session"])]
    pub(crate) auth_methods: Vec<String>,
    /// What is asked for at a login.
    #[field(default = ["openid"])]
    pub(crate) scopes: Vec<String>,
    /// The `audience` that is asked for at a login.
    pub(crate) audience: Option<Vec<String>>,
    /// Where the provider sends users back to. Default: the address that they asked for.
    #[field(longest = 1, format = "url")]
    pub(crate) redirect_uri: Option<Vec<String>>,
    /// Where users go after a login, in place of what they asked for.
    #[field(longest = 1)]
    pub(crate) login_redirect_uri: Option<Vec<String>>,
    /// Names of further arguments of the authorization request.
    #[field(default = [])]
    pub(crate) authorization_query_args_names: Vec<String>,
    /// Their values.
    #[field(default = [])]
    pub(crate) authorization_query_args_values: Vec<String>,
    /// Seconds since users last showed the provider who they are, at most.
    #[field(between = (0, 31_536_000))]
    pub(crate) max_age: Option<f64>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) authorization_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) token_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) userinfo_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) introspection_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) end_session_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) pushed_authorization_request_endpoint: Option<String>,
    /// In place of what discovery says.
    #[field(format = "url")]
    pub(crate) jwks_uri: Option<String>,
    /// Whether authorization requests are pushed (RFC 9126). Default: where the provider asks for it.
    pub(crate) require_pushed_authorization_requests: Option<bool>,
    /// Scopes, one of which must be there; several in one text must all be.
    pub(crate) scopes_required: Option<Vec<String>>,
    /// The path of the claim that has them.
    #[field(default = ["scope"])]
    pub(crate) scopes_claim: Vec<String>,
    /// Audiences, as above.
    pub(crate) audience_required: Option<Vec<String>>,
    /// The path of the claim that has them.
    #[field(default = ["aud"])]
    pub(crate) audience_claim: Vec<String>,
    /// Groups, as above.
    pub(crate) groups_required: Option<Vec<String>>,
    /// The path of the claim that has them.
    #[field(default = ["groups"])]
    pub(crate) groups_claim: Vec<String>,
    /// Roles, as above.
    pub(crate) roles_required: Option<Vec<String>>,
    /// The path of the claim that has them.
    #[field(default = ["roles"])]
    pub(crate) roles_claim: Vec<String>,
    /// The path of the claim that has the groups for access control (`acl`).
    pub(crate) authenticated_groups_claim: Option<Vec<String>>,
    /// The path of the claim that names a consumer.
    pub(crate) consumer_claim: Option<Vec<String>>,
    /// What it names consumers by.
    #[field(default = ["username", "custom_id"], set, one_of = ["username", "custom_id", "id"])]
    pub(crate) consumer_by: Vec<String>,
    /// Whether those whom no consumer is for are admitted.
    #[field(default = false)]
    pub(crate) consumer_optional: bool,
    /// The consumer, by id or username, that stands in for those who do not show who they are.
    pub(crate) anonymous: Option<String>,
    /// Whether `OPTIONS` requests are asked as well.
    #[field(default = true)]
    pub(crate) run_on_preflight: bool,
    /// The realm that refusals name.
    pub(crate) realm: Option<String>,
    /// What a 401 says.
    #[field(default = "Unauthorized")]
    pub(crate) unauthorized_error_message: String,
    /// What a 403 says.
    #[field(default = "Forbidden")]
    pub(crate) forbidden_error_message: String,
    /// Whether tokens are taken off the request before it goes upstream.
    #[field(default = false)]
    pub(crate) hide_credentials: bool,
    /// Claims that the upstream is told.
    #[field(default = [])]
    pub(crate) upstream_headers_claims: Vec<String>,
    /// The header fields that tell it.
    #[field(default = [], format = "header-name")]
    pub(crate) upstream_headers_names: Vec<String>,
    /// The header field that has the access token of a session: `name`, or `authorization:bearer`. Empty: none.
    #[field(default = "authorization:bearer", shortest = 0)]
    pub(crate) upstream_access_token_header: String,
    /// The header field that has the ID token of a session.
    #[field(format = "header-name")]
    pub(crate) upstream_id_token_header: Option<String>,
    /// The header field that has what the provider says of the user, as JSON in base64.
    #[field(format = "header-name")]
    pub(crate) upstream_user_info_header: Option<String>,
    /// Whether the provider is asked for more about users than is in the ID token.
    #[field(default = false)]
    pub(crate) search_user_info: bool,
    /// Where bearer tokens may stand.
    #[field(default = ["header"], set, one_of = ["header", "query", "cookie"])]
    pub(crate) bearer_token_param_type: Vec<String>,
    /// The cookie that they may stand in.
    pub(crate) bearer_token_cookie_name: Option<String>,
    /// Whether JWTs are shown to the provider as well.
    #[field(default = false)]
    pub(crate) introspect_jwt_tokens: bool,
    /// Whether what the provider said of a token is remembered.
    #[field(default = true)]
    pub(crate) cache_introspection: bool,
    /// For how many seconds at most.
    #[field(default = 3600, between = (1, 86_400))]
    pub(crate) cache_ttl: u32,
    /// Seconds by which clocks may differ.
    #[field(default = 0, between = (0, 60))]
    pub(crate) leeway: u32,
    /// Milliseconds for each answer of the provider.
    #[field(default = 10_000, between = (1, 60_000))]
    pub(crate) timeout: u32,
    /// What sessions are sealed by: 32 characters at least, or the reference of a secret that `host.secrets` grants.
    /// Without it they end with the process.
    #[field(referenceable, shortest = 16)]
    pub(crate) session_secret: Option<String>,
    /// What sessions may still be sealed by.
    #[field(default = [], referenceable, longest = 4)]
    pub(crate) session_previous_secrets: Vec<String>,
    /// The name of the session's cookie; `__Host-` stands before it where it can.
    #[field(default = "session")]
    pub(crate) session_cookie_name: String,
    /// The path of the session's cookie.
    #[field(default = "/", format = "path")]
    pub(crate) session_cookie_path: String,
    /// The domain of the session's cookie. Default: this host alone.
    pub(crate) session_cookie_domain: Option<String>,
    /// Whether other sites' requests have the cookie.
    #[field(default = "Lax", one_of = ["Lax", "Strict", "None"])]
    pub(crate) session_cookie_same_site: String,
    /// Whether the cookies go over TLS only. Without it they have no `__Host-`.
    #[field(default = true)]
    pub(crate) session_cookie_secure: bool,
    /// Seconds that a session may go unused.
    #[field(default = 900, between = (1, 31_536_000))]
    pub(crate) session_idling_timeout: u32,
    /// Seconds after which a session in use is written anew, at most.
    #[field(default = 3600, between = (1, 31_536_000))]
    pub(crate) session_rolling_timeout: u32,
    /// Seconds that a session lasts, at most.
    #[field(default = 86_400, between = (1, 31_536_000))]
    pub(crate) session_absolute_timeout: u32,
    /// Whether certificates are verified, as they always are.
    #[field(default = true)]
    ssl_verify: bool,
    /// Whether scripts cannot read the session's cookie, as they never can.
    #[field(default = true)]
    session_cookie_http_only: bool,
    /// The same for the cookies of logins.
    #[field(default = true)]
    authorization_cookie_http_only: bool,
    /// Whether the nonce of a login is verified, as it always is.
    #[field(default = true)]
    verify_nonce: bool,
    /// Whether the claims of tokens are verified, as they always are.
    #[field(default = true)]
    verify_claims: bool,
    /// Whether signatures are verified, as they always are.
    #[field(default = true)]
    verify_signature: bool,
    /// How the provider answers a login.
    #[field(default = "query", one_of = ["query"])]
    #[expect(dead_code, reason = "it has one value")]
    response_mode: String,
    /// What it answers.
    #[field(default = ["code"], one_of = ["code"])]
    #[expect(dead_code, reason = "it has one value")]
    response_type: Vec<String>,
    /// What comes after a login.
    #[field(default = "redirect", one_of = ["redirect"])]
    #[expect(dead_code, reason = "it has one value")]
    login_action: String,
    /// After which methods.
    #[field(default = ["authorization_code"], one_of = ["authorization_code"])]
    #[expect(dead_code, reason = "it has one value")]
    login_methods: Vec<String>,
    /// Where sessions are: in the cookie; or in this process, or on a Redis server, with their name in the cookie.
    #[field(default = "cookie", one_of = ["cookie", "local", "redis"])]
    pub(crate) session_storage: String,
    /// The Redis server, for `session_storage: redis`.
    pub(crate) redis: Redis,
    /// The name of the cookies of logins under way.
    #[field(default = "authorization")]
    pub(crate) authorization_cookie_name: String,
    /// Seconds that a login may take.
    #[field(default = 600, between = (1, 86_400))]
    pub(crate) authorization_rolling_timeout: u32,
    /// Whether access tokens are made anew by refresh tokens.
    #[field(default = true)]
    pub(crate) refresh_tokens: bool,
    /// A path that ends so logs out.
    pub(crate) logout_uri_suffix: Option<String>,
    /// An argument of the query that logs out.
    pub(crate) logout_query_arg: Option<String>,
    /// With which methods.
    #[field(default = ["POST", "DELETE"], set, one_of = ["GET", "POST", "DELETE"])]
    pub(crate) logout_methods: Vec<String>,
    /// Where users go after a logout: the provider must know it.
    #[field(longest = 1, format = "url")]
    pub(crate) logout_redirect_uri: Option<Vec<String>>,
    /// The path at which the provider tells of logouts (back-channel logout).
    #[field(format = "path")]
    pub(crate) backchannel_logout_path: Option<String>,
}

impl Config {
    /// What Kong's plugin can do without, and this one does not.
    ///
    /// # Errors
    /// The field that would switch it off.
    pub(crate) fn check(&self) -> Result<(), String> {
        let always = [
            ("ssl_verify", self.ssl_verify),
            ("session_cookie_http_only", self.session_cookie_http_only),
            ("authorization_cookie_http_only", self.authorization_cookie_http_only),
            ("verify_nonce", self.verify_nonce),
            ("verify_claims", self.verify_claims),
            ("verify_signature", self.verify_signature),
        ];
        let off = always.into_iter().find(|(_, on)| !on);
        off.map_or(Ok(()), |(name, _)| Err(format!("{name}: it is always on")))
    }
}

/// A Redis server.
#[config]
pub(crate) struct Redis {
    /// Its name or address.
    #[field(default = "127.0.0.1", format = "host")]
    host: String,
    /// Its port.
    #[field(default = 6379, between = (0, 65_535))]
    port: u16,
    /// What all keys begin with.
    prefix: Option<String>,
    /// Who logs in.
    #[field(referenceable)]
    username: Option<String>,
    /// With which password.
    #[field(referenceable, shortest = 0)]
    password: Option<String>,
    /// The number of the database.
    #[field(default = 0)]
    database: u32,
    /// Milliseconds for the connection. The longest of the three counts for all.
    #[field(default = 2000, between = (0, 2_147_483_646))]
    connect_timeout: u32,
    /// Milliseconds to send a call.
    #[field(default = 2000, between = (0, 2_147_483_646))]
    send_timeout: u32,
    /// Milliseconds for an answer.
    #[field(default = 2000, between = (0, 2_147_483_646))]
    read_timeout: u32,
    /// Whether it is spoken to by TLS.
    #[field(default = false)]
    ssl: bool,
    /// Whether its certificate is verified.
    #[field(default = false)]
    ssl_verify: bool,
    /// The name its certificate must have, where that is not the host's.
    #[field(format = "server-name")]
    server_name: Option<String>,
}

impl Redis {
    /// The server, and what keys there begin with.
    pub(crate) fn server(&self) -> (kv::Redis<'_>, &str) {
        let server = kv::Redis {
            host: &self.host,
            port: self.port,
            timeout: self.connect_timeout.max(self.send_timeout).max(self.read_timeout),
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            database: self.database,
            tls: self.ssl,
            verify: self.ssl_verify,
            server_name: self.server_name.as_deref(),
            sync: None,
        };
        (server, self.prefix.as_deref().unwrap_or_default())
    }
}
